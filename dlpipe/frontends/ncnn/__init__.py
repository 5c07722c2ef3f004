"""ncnn: a network as text (.param) with its weights (.bin), read back: to check what was deployed, or to move away.

The parser and the converter are dlpipe's own; ncnn itself runs the original, in 32-bit floats. What to know:

- ncnn's blobs have no batch axis; the ONNX model has one, free where every layer allows it, else 1.
- Weights stored as halves, as bytes with a table or as int8 are restored; int8 layers quantise their data as ncnn does.
- An `Input` without a size becomes an image of free height and width; its channels come from the first convolution.
- Refused, by name: layers with weights computed at run time, custom layers, and heads that give boxes
  (`Yolov3DetectionOutput`, `DetectionOutput`, ...): name the blobs before them with `--output`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")
ORIGINAL = "ncnn"  # the toolchain that runs originals


class NcnnFrontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "ncnn"
    formats = ("ncnn/param",)
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        params = {
            "entry": sniffed.entry,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "outputs": list(options.outputs),
            "dims": dict(options.dims),
        }
        return Call(self.toolchain, WORKER, "import", params, libraries=(KIT,))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("reference", sniffed)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("layers", sniffed)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("time", sniffed, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call(self.toolchain, WORKER, "operators", libraries=(KIT,))

    def _original(
        self, operation: str, sniffed: Sniffed, stage_class: StageClass = "deterministic", **params: Any
    ) -> Call:
        params = {"entry": sniffed.entry, **params}
        return Call(ORIGINAL, EXECUTOR, operation, params, stage_class=stage_class, libraries=(KIT,))
