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

from dlpipe.frontends.room import ParsedFrontend


class NcnnFrontend(ParsedFrontend):
    """Executed by ncnn itself."""

    name = "ncnn"
    formats = ("ncnn/param",)
    toolchain = "ncnn"
    room = Path(__file__).parent
