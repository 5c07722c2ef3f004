"""Darknet: a cfg with its weights, of Redmon's original and of AlexeyAB's fork (YOLO 1 to 4 and the classifiers).

The parser and the converter are dlpipe's own; OpenCV runs the original. What to know:

- Weights carry no names: they are read in the order of the cfg, and every byte must be accounted for.
- `[yolo]` and `[region]` give one row per box, decoded as OpenCV and Darknet's own detector do; the contract says how.
- Batch normalisation adds 1e-6 to the variance, as OpenCV does; Redmon's Darknet adds it to the deviation.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe.frontends.room import ParsedFrontend


class DarknetFrontend(ParsedFrontend):
    name = "darknet"
    formats = ("darknet/cfg",)
    toolchain = "opencv"
    room = Path(__file__).parent
