"""ONNX IR -> TensorFlow Lite graph: worker code that backends share (`libraries=(TFLITE,)`), no backend by itself.

`lowering.lower` makes a `graph.Graph`, with TFLite's operators, layouts and 8-bit rules; `flatbuffer.write` puts it
into a .tflite file. Other backends take the graph further: to an NPU's compiler, or to C.
"""
