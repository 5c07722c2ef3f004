"""ONNX operators as torch functions, a file for each family. `table.py` says what such a function is."""
