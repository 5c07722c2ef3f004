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

from dataclasses import replace
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Sniffed
from dlpipe.frontends.room import ParsedFrontend

OLD = "mnn1"


class MnnFrontend(ParsedFrontend):
    """Executed by MNN itself, of the version that the file needs."""

    name = "mnn"
    formats = ("mnn/model",)
    toolchain = "mnn"
    room = Path(__file__).parent

    def runs(self, call: Call, sniffed: Sniffed) -> Call:
        here = super().runs(call, sniffed)
        return replace(here, toolchain=OLD) if sniffed.version == "1" else here
