"""ONNX files of any operator set, and ONNX Runtime's own format. The reference is made from the file as it came."""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends import KIT
from dlpipe.ir import calls

WORKER = Path(__file__).with_name("worker.py")
QONNX_WORKER = Path(__file__).with_name("qonnx_worker.py")
QUANTISERS = frozenset(
    {"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold", "QuantAvgPool2d", "XnorPopcountMatMul"}
)


class OnnxFrontend(Frontend):
    name = "onnx"
    formats = ("onnx/model", "onnx/ort")
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        ort = sniffed.format == "onnx/ort"
        if options.outputs or (options.inputs and ort):
            raise Unsupported("an ONNX file names its inputs and outputs itself", hint="leave --input and --output out")
        shapes = {name: each["shape"] for name, each in options.inputs.items() if each.get("shape")}
        return calls.import_ort_call(sniffed.entry) if ort else calls.import_call(sniffed.entry, shapes)

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        """By ONNX Runtime; by QONNX where its quantisers are in the file; see `worker.py` for what neither can run."""
        del options
        return _original(sniffed, "reference")

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        del options
        return None if sniffed.format == "onnx/ort" else _original(sniffed, "layers")

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        """By ONNX Runtime: QONNX's executor, and ONNX's evaluator, were never meant to be fast."""
        del options
        return _call(sniffed, "time", "core", WORKER)

    def operators_call(self) -> Call:
        return calls.operators_call()


def _original(sniffed: Sniffed, operation: str) -> Call:
    """In the framework whose operators the file holds."""
    if QUANTISERS.isdisjoint(sniffed.operators):
        return _call(sniffed, operation, "core", WORKER)
    return _call(sniffed, operation, "qonnx", QONNX_WORKER)


def _call(sniffed: Sniffed, operation: str, toolchain: str, worker: Path) -> Call:
    # The last bits depend on the processor's vector width.
    return Call(toolchain, worker, operation, {"entry": sniffed.entry}, libraries=(KIT,), stage_class="hardware")
