"""Groups of operators that later ONNX operators stand for."""
