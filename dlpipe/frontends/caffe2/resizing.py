"""Operators that enlarge or pad images."""

from __future__ import annotations

import numpy as np

from .converter import Converter
from .nets import Operator
from .table import converts


@converts("ResizeNearest", "UpsampleNearest", "UpsampleBilinear", note="scales that are computed while running")
def _resize(converter: Converter, op: Operator) -> None:
    resize(converter, op, converter.value(op, 0))


def resize(converter: Converter, op: Operator, x: str) -> None:
    """Nearest: the pixel at the floor of the scaled place. Bilinear: with the corners aligned. Writes the output."""
    if op.type == "UpsampleNearest":
        height = width = float(op.args.integer("scale", 2))
    elif len(op.inputs) > 1:
        height, width = (float(each) for each in converter.array(op, 1).ravel()[:2])
    else:
        height, width = op.args.number("height_scale", 1.0), op.args.number("width_scale", 1.0)
    if not (0 < height < 1e4 and 0 < width < 1e4):
        raise converter.bad(op, f"an image scaled by {height} x {width}")
    last = converter.channels_last(op)
    scales = [1.0, height, width, 1.0] if last else [1.0, 1.0, height, width]
    if converter.rank(x) != 4:
        raise converter.bad(op, "it takes images (4 dims)")
    inputs = [x, "", converter.constant(op, scales, np.float32)]
    if op.type == "UpsampleBilinear":
        if last:
            raise converter.unsupported(op, "bilinear with the channels last")
        converter.finish(op, "Resize", inputs, mode="linear", coordinate_transformation_mode="align_corners")
        return
    converter.finish(
        op, "Resize", inputs, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


@converts("PadImage")
def _pad(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if converter.rank(x) != 4:
        raise converter.bad(op, "it pads images (4 dims)")
    mode = op.args.text("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise converter.unsupported(op, f"the mode {mode!r}")
    single = op.args.integer("pad", 0)
    listed = op.args.integers("pads")
    top, left, bottom, right = listed or [op.args.integer(f"pad_{side}", single) for side in "tlbr"]
    value = op.args.number("value", 0.0)
    if converter.channels_last(op):
        pads = [0, top, left, 0, 0, bottom, right, 0]
    else:
        pads = [0, 0, top, left, 0, 0, bottom, right]
    inputs = [x, converter.constant(op, pads, np.int64)]
    if mode == "constant":
        inputs.append(converter.constant(op, value, np.float32))
    converter.finish(op, "Pad", inputs, mode=mode)
