"""ONNX files of any operator set, and ONNX Runtime's own format. The reference is made from the file as it came."""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends import KIT
from dlpipe.ir import calls

WORKER = Path(__file__).with_name("worker.py")
QONNX_WORKER = Path(__file__).with_name("qonnx_worker.py")
QUANTISERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold", "QuantAvgPool2d"})


class OnnxFrontend(Frontend):
    name = "onnx"
    formats = ("onnx/model", "onnx/ort")
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        if options.inputs or options.outputs:
            raise Unsupported("an ONNX file names its inputs and outputs itself", hint="leave --input and --output out")
        return (
            calls.import_ort_call(sniffed.entry) if sniffed.format == "onnx/ort" else calls.import_call(sniffed.entry)
        )

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        """By ONNX Runtime; by QONNX where its quantisers are in the file; see `worker.py` for what neither can run."""
        del options
        return _call(sniffed, "reference")

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        del options
        return None if sniffed.format == "onnx/ort" else _call(sniffed, "layers")

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """None for QONNX's executor, which was never meant to be fast."""
        del options
        return None if _is_qonnx(sniffed) else _call(sniffed, "time")

    def operators_call(self) -> Call:
        return calls.operators_call()


def _is_qonnx(sniffed: Sniffed) -> bool:
    return not QUANTISERS.isdisjoint(sniffed.operators)


def _call(sniffed: Sniffed, operation: str) -> Call:
    toolchain, worker = ("qonnx", QONNX_WORKER) if _is_qonnx(sniffed) else ("core", WORKER)
    # The last bits depend on the processor's vector width.
    kind: StageClass = "hardware"
    return Call(toolchain, worker, operation, {"entry": sniffed.entry}, libraries=(KIT,), stage_class=kind)
