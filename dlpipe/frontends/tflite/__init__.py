"""TensorFlow Lite (LiteRT): float32, float16, dynamic-range, int8, uint8 and int16x8 models.

The converter is dlpipe's own, on the FlatBuffer itself. Inputs and outputs keep the file's types and its NHWC layout;
their scales are in the contract's metadata. Quantised tensors become QuantizeLinear/DequantizeLinear pairs (opset 21
where there are int16 ones). Dynamic-range models quantise their data at run time, and so does the ONNX model.

The reference is LiteRT's interpreter as it is by default, with XNNPACK. Labels and normalisation are read from the
file's metadata. Refused, by name: Flex and custom operators (but for TFLite_Detection_PostProcess), variables that
outlive a run, strings. Sparse weights become dense ones.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe.frontends.room import ParsedFrontend


class TFLiteFrontend(ParsedFrontend):
    name = "tflite"
    formats = ("tflite/model",)
    toolchain = "litert"
    room = Path(__file__).parent
