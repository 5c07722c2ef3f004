"""TensorFlow Lite (LiteRT): float32, float16, dynamic-range, int8, uint8 and int16x8 models.

The converter is dlpipe's own, on the FlatBuffer itself. Inputs and outputs keep the file's types and its NHWC layout;
their scales are in the contract's metadata. Quantised tensors become QuantizeLinear/DequantizeLinear pairs (opset 21
where there are int16 ones). Dynamic-range models quantise their data at run time, and so does the ONNX model.

The reference is LiteRT's interpreter as it is by default, with XNNPACK. Labels and normalisation are read from the
file's metadata. Refused, by name: Flex and custom operators (but for TFLite_Detection_PostProcess), variables that
outlive a run, strings, sparse weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")


class TFLiteFrontend(Frontend):
    """Converted in the core toolchain, executed in LiteRT's."""

    name = "tflite"
    formats = ("tflite/model",)
    toolchain = "litert"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        params = {
            "entry": sniffed.entry,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "outputs": list(options.outputs),
            "dims": dict(options.dims),
        }
        return Call("core", WORKER, "import", params, libraries=(KIT,))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._execute("reference", sniffed)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._execute("layers", sniffed)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._execute("time", sniffed, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call("core", WORKER, "operators", libraries=(KIT,))

    def _execute(self, operation: str, sniffed: Sniffed, stage: StageClass = "deterministic", **params: Any) -> Call:
        given = {"entry": sniffed.entry, **params}
        return Call(self.toolchain, EXECUTOR, operation, given, libraries=(KIT,), stage_class=stage)
