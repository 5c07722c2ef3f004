"""A room per training framework: its file format -> ONNX, and how to run the original."""
