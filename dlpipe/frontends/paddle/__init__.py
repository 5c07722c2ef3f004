"""PaddlePaddle 2 and 3: .pdmodel or .json (PIR) with its .pdiparams, and the older `__model__` with `__params__`.

Converted by paddle2onnx at opset 18, executed by Paddle itself. An old program is completed with the defaults of
attributes that its version did not have yet, then translated to Paddle 3's form.

Limits: paddle2onnx makes no valid model of SimpleRNN, and gives the last states of only one layer of a stacked LSTM:
both are refused. Weights as one file each (a folder of `__model__` and many files) are not read; save them combined.
Free dims stay free; where nobody says otherwise, generated inputs have 64 in the height and width of an image, and 8
in others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")


class PaddleFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "paddle"
    formats = ("paddle/program", "paddle/json")
    toolchain = "paddle"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call(
            "import",
            sniffed,
            inputs={name: dict(each) for name, each in options.inputs.items()},
            outputs=list(options.outputs),
            dims=dict(options.dims),
        )

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("reference", sniffed)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("layers", sniffed)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("time", sniffed, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call(self.toolchain, WORKER, "operators", libraries=(KIT,))

    def _call(self, operation: str, sniffed: Sniffed, stage_class: StageClass = "deterministic", **params: Any) -> Call:
        params = {"entry": sniffed.entry, "format": sniffed.format, **params}
        return Call(self.toolchain, WORKER, operation, params, libraries=(KIT,), stage_class=stage_class)
