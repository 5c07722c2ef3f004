"""MNN: a .mnn file read back to ONNX: to check what was deployed, or to move away.

The reader (FlatBuffers, by MNN's public schema) and the converter are dlpipe's own; MNN 3.6.1 runs the original, on the
processor and in 32-bit floats. What to know:

- Tensors keep the file's layout: images of files from Caffe and ONNX are NCHW, those from TensorFlow mostly NHWC.
- Weights stored as halves, as 8 bits or less with tables or as sparse lists are restored to floats.
- Files that the quantiser of MNN 1 wrote (ConvInt8 with int8 data) become whole numbers in floats: the same
  arithmetic. MNN 3 no longer runs them all, so MNN 1.0 does (the sniffer says version 1).
- Refused, by name: loops and branches, weights in a file of their own, shapes that are computed at run time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")
OLD = "mnn1"


class MnnFrontend(Frontend):
    """Converted in the core toolchain, executed in MNN's."""

    name = "mnn"
    formats = ("mnn/model",)
    toolchain = "mnn"

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
        toolchain = OLD if sniffed.version == "1" else self.toolchain
        return Call(toolchain, EXECUTOR, operation, given, libraries=(KIT,), stage_class=stage)
