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

from dlpipe.frontends.room import ParsedFrontend


class CaffeFrontend(ParsedFrontend):
    name = "caffe"
    formats = ("caffe/prototxt",)
    toolchain = "opencv"
    room = Path(__file__).parent
