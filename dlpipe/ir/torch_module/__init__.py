"""Worker code: an ONNX graph as a torch module. A library of calls (`ir.TORCH_MODULE`): passes train it, backends
export it."""
