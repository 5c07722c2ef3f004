"""Operators that move elements. Their shapes are known: they were fixed before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .table import writes
from .text import Text

_BORDERS = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


@writes("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(text: Text) -> None:
    """All are a reshape to a shape that is known."""
    text.call("reshape", text.tensor(text.input(0)), shape=text.shape(text.node.output[0]), to=text.node.output[0])


@writes("Transpose")
def _transpose(text: Text) -> None:
    order = text.attributes(perm=None)["perm"] or list(reversed(range(text.rank(text.input(0)))))
    text.call("transpose", text.tensor(text.input(0)), axes=[int(each) for each in order], to=text.node.output[0])


@writes("Concat")
def _concat(text: Text) -> None:
    axis = text.attributes(axis=None)["axis"] % text.rank(text.node.output[0])
    text.call("concat", [text.tensor(each) for each in text.node.input], axis=axis, to=text.node.output[0])


@writes("Split")
def _split(text: Text) -> None:
    axis = text.attributes(axis=0, split=None, num_outputs=None)["axis"] % text.rank(text.input(0))
    value = text.tensor(text.input(0))
    parts = [text.shape(each)[axis] for each in text.node.output]
    if 0 in parts:
        text.fail("a part of size 0")
    common = math.gcd(*parts)
    names = [text.bind(each) for each in text.node.output]
    text.put(list(names), "split", value, axis=axis, ratios=[each // common for each in parts])


@writes("Slice")
def _slice(text: Text) -> None:
    given = text.attributes(starts=None, ends=None, axes=None)
    shape = text.shape(text.input(0))
    starts, ends = text.ints(given["starts"], 1) or [], text.ints(given["ends"], 2) or []
    axes = text.ints(given["axes"], 3) or list(range(len(starts)))
    steps = text.ints(None, 4) or [1] * len(starts)
    axes = [each % len(shape) for each in axes]
    if 0 in text.shape(text.node.output[0]):
        text.fail("a slice of nothing")
    begin, end = [], []
    for axis, first, last, step in zip(axes, starts, ends, steps, strict=True):
        size = shape[axis]
        low, high = (0, size) if step > 0 else (-1, size - 1)
        first, last = (min(max(each + size if each < 0 else each, low), high) for each in (first, last))
        begin.append(first)
        end.append(last if last >= 0 else -size - 1)  # in front of the first element
    strides: dict[str, Any] = {} if set(steps) == {1} else {"stride": steps}
    text.call("slice", text.tensor(text.input(0)), axes=axes, begin=begin, end=end, to=text.node.output[0], **strides)


@writes("Pad")
def _pad(text: Text) -> None:
    given = text.attributes(mode="constant", pads=None, value=None)
    rank = text.rank(text.input(0))
    amounts = text.ints(given["pads"], 1) or []
    axes = [each % rank for each in text.ints(None, 3) or range(rank)]
    filler = given["value"] if given["value"] is not None else text.number(2, 0.0)
    border = _BORDERS.get(given["mode"])
    if border is None or min(amounts, default=0) < 0:
        text.fail(f"a padding of mode {given['mode']!r} and amounts {amounts}")
    pairs = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        pairs[axis] = (amounts[index], amounts[index + len(axes)])
    named: dict[str, Any] = {"border": border} if border != "constant" else {"value": float(filler or 0.0)}
    text.call("pad", text.tensor(text.input(0)), padding=pairs, to=text.node.output[0], **named)


@writes("Tile", "Expand")
def _tile(text: Text) -> None:
    """Expand repeats dims of size one."""
    shape, wanted = text.shape(text.input(0)), text.shape(text.node.output[0])
    if 0 in wanted:
        text.fail("a tensor of no elements")
    value = text.tensor(text.input(0))
    missing = len(wanted) - len(shape)
    if missing:
        value = text.call("unsqueeze", value, axes=list(range(missing)))
    repeats = [new // old for new, old in zip(wanted, [1] * missing + shape, strict=True)]
    text.call("tile", value, repeats=repeats, to=text.node.output[0])


@writes("Gather")
def _gather(text: Text) -> None:
    rank = text.rank(text.input(0))
    axis = text.attributes(axis=0)["axis"] % rank
    indices = text.array(text.input(1))
    if indices is not None and (indices < 0).any():
        text.model.constants[text.input(1)] = np.where(indices < 0, indices + text.shape(text.input(0))[axis], indices)
    text.call("gather", text.tensor(text.input(0)), text.tensor(text.input(1)), axis=axis, to=text.node.output[0])


@writes("DepthToSpace", "SpaceToDepth")
def _blocks(text: Text) -> None:
    given = text.attributes(blocksize=None, mode="DCR")
    size, (batch, channels, height, width) = int(given["blocksize"]), text.shape(text.input(0))
    value = text.tensor(text.input(0))
    if text.node.op_type == "SpaceToDepth":
        split = [batch, channels, height // size, size, width // size, size]
        order = [0, 3, 5, 1, 2, 4]
    elif given["mode"] == "DCR":
        split = [batch, size, size, channels // size**2, height, width]
        order = [0, 3, 4, 1, 5, 2]
    else:
        split = [batch, channels // size**2, size, size, height, width]
        order = [0, 1, 4, 2, 5, 3]
    turned = text.call("transpose", text.call("reshape", value, shape=split), axes=order)
    text.call("reshape", turned, shape=text.shape(text.node.output[0]), to=text.node.output[0])


@writes("Resize", "Upsample")
def _resize(text: Text) -> None:
    """NNEF samples by whole factors, along the spatial dims."""
    given = text.attributes(
        mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor",
        cubic_coeff_a=-0.75, exclude_outside=0, extrapolation_value=0.0, antialias=0, axes=None,
        keep_aspect_ratio_policy="stretch", scales=None,
    )  # fmt: skip
    old, new = text.shape(text.input(0)), text.shape(text.node.output[0])
    mode = given["mode"]
    way = (
        "asymmetric"
        if text.node.op_type == "Upsample" or text.model.opset < 11
        else given["coordinate_transformation_mode"]
    )
    rounding = given["nearest_mode"] if text.model.opset >= 11 and text.node.op_type == "Resize" else "floor"
    value, to = text.tensor(text.input(0)), text.node.output[0]
    if (
        old[:2] != new[:2]
        or given["antialias"]
        or (text.input(1) and text.node.op_type == "Resize" and way == "tf_crop_and_resize")
    ):
        text.fail("a resize of the batch or the channels, smoothed, or of a part")
    pairs = list(zip(old[2:], new[2:], strict=True))
    up = [after // before for before, after in pairs]
    whole = all(after % before == 0 for before, after in pairs)
    like_floor = (way, rounding) == ("asymmetric", "floor") or (way == "half_pixel" and rounding.startswith("round_"))
    if mode == "nearest" and whole and like_floor:
        text.call("nearest_upsample", value, factor=up, to=to)
        return
    down = [-(-before // after) for before, after in pairs]
    exact = all(before == after * factor for (before, after), factor in zip(pairs, down, strict=True))
    if mode == "nearest" and exact and (way, rounding) == ("asymmetric", "floor"):
        text.call("nearest_downsample", value, factor=down, to=to)
        return
    methods = {"half_pixel": "symmetric", "asymmetric": "asymmetric", "align_corners": "aligned"}
    if mode == "linear" and way in methods and whole:
        text.call("multilinear_upsample", value, factor=up, method=methods[way], border="replicate", to=to)
        return
    text.fail(f"a {mode} resize from {old[2:]} to {new[2:]}, {way}")
