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

from dlpipe.frontends.room import ParsedFrontend


class Caffe2Frontend(ParsedFrontend):
    name = "caffe2"
    formats = ("caffe2/netdef", "caffe2/netdef-text")
    toolchain = "caffe2"
    room = Path(__file__).parent
