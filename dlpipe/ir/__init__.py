"""The common IR: an ONNX model on disk and its I/O contract."""
