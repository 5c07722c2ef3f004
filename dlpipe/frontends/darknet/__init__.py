"""Darknet: a cfg with its weights, of Redmon's original and of AlexeyAB's fork (YOLO 1 to 4 and the classifiers).

The parser and the converter are dlpipe's own; OpenCV runs the original. What to know:

- Weights carry no names: they are read in the order of the cfg, and every byte must be accounted for.
- `[yolo]` and `[region]` give one row per box, decoded as OpenCV and Darknet's own detector do; the contract says how.
- Batch normalisation adds 1e-6 to the variance, as OpenCV does; Redmon's Darknet adds it to the deviation.
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


class DarknetFrontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "darknet"
    formats = ("darknet/cfg",)
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
