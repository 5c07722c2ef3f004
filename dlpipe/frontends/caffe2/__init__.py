"""Caffe2: a prediction net and its initialisation net, binary or text, one file or two.

The nets are read and converted by our own code (core toolchain); Caffe2 itself, as PyTorch 1.0 carries it, is only
needed to run the original. What users should know:

- Caffe2's files do not tell the shape of the input. It is found from the weights of the first layer and from the fully
  connected ones; `value_info.json` beside the nets (as in Caffe2's model zoo) or `--input name:1x3x224x224` settles it.
- A fully convolutional net takes any size: 224x224, where `--shape H=480 --shape W=640` says no other.
- Blobs that are written several times become one value each: the last keeps the name, `conv1@1` is the first value.
- 8-bit operators become QuantizeLinear and DequantizeLinear, equal within one step of the output's scale; an 8-bit
  output is given dequantised.
- Camera and screen operators (the stylizer's) are cut off, and said so; nets made for Metal or OpenGL are refused.
- Proposals and box limits work on one image at a time; rotated boxes and soft suppression are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")


class Caffe2Frontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "caffe2"
    formats = ("caffe2/netdef", "caffe2/netdef-text")
    toolchain = "caffe2"

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
        return self._original("reference", sniffed)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("layers", sniffed)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._original("time", sniffed, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call("core", WORKER, "operators", libraries=(KIT,))

    def _original(
        self, operation: str, sniffed: Sniffed, stage_class: StageClass = "deterministic", **params: Any
    ) -> Call:
        params = {"entry": sniffed.entry, **params}
        return Call(self.toolchain, EXECUTOR, operation, params, libraries=(KIT,), stage_class=stage_class)
