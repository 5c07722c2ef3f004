"""Caffe: a prototxt with its caffemodel, of all three generations of the format, and those of SSD and other forks.

The parser and the converter are dlpipe's own; OpenCV runs the original, and where it cannot, dlpipe's own interpreter
does, and the reference is then called "own". What to know:

- Deploy nets and training nets both convert: data layers become inputs, losses and what needs labels is left out (as
  notes say). Where a data layer does not tell the size of its pictures, `--input data:1x3x224x224` does.
- The first dim is a batch of any size (`N`) unless a layer counts on it (SSD's detections, recurrent layers).
- DetectionOutput gives a fixed number of rows; rows of -1 follow the last detection.
- `Python` layers are code that is not in the file: they are refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")
ORIGINAL = "opencv"  # the toolchain that runs originals


class CaffeFrontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "caffe"
    formats = ("caffe/prototxt",)
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
