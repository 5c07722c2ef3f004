"""How CNTK pads: by itself around the centres of its windows, or by given numbers. In numpy's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..kit.shaped import Dim
from .dictionary import Shape
from .graph import Function
from .writer import Writer


@dataclass
class Window:
    """Per spatial dim; `pads` as ONNX has them: all begins, then all ends."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int]


def listed(value: Any, rank: int, default: Any) -> list[Any]:
    """An attribute of one value for all axes, or of one for each, in CNTK's order."""
    found = list(value.dims) if isinstance(value, Shape) else list(value) if isinstance(value, list) else []
    if not found:
        return [default] * rank
    return (found + [found[-1] if len(found) == 1 else default] * rank)[:rank]


def read_window(writer: Writer, function: Function, sizes: list[Dim], kernel: list[int]) -> Window:
    """sizes, kernel: of the spatial dims, in numpy's order."""
    rank, attributes = len(sizes), function.attributes

    def spatial(key: str, default: Any) -> list[Any]:
        return listed(attributes.get(key), rank, default)[::-1]

    strides, dilations, auto = spatial("strides", 1), spatial("dilation", 1), spatial("autoPadding", False)
    lower, upper = spatial("lowerPad", 0), spatial("upperPad", 0)
    if any(each < 1 for each in (*kernel, *strides, *dilations)):
        raise writer.bad(function, f"a window of {kernel}, strides of {strides}, dilations of {dilations}")
    pads = [0] * (2 * rank)
    for at in range(rank):
        extent = dilations[at] * (kernel[at] - 1) + 1
        pads[at], pads[rank + at] = (
            _centred(writer, function, sizes[at], extent, strides[at]) if auto[at] else (lower[at], upper[at])
        )
        if attributes.get("ceilOutDim") and not auto[at]:
            pads[rank + at] += _rounded_up(writer, function, sizes[at], pads[at] + pads[rank + at], extent, strides[at])
    return Window(kernel, strides, dilations, pads)


def _centred(writer: Writer, function: Function, size: Dim, extent: int, stride: int) -> tuple[int, int]:
    """The first and the last centre stand as far from the edges as can be; windows reach over the edges."""
    before = (extent - 1) // 2
    if not isinstance(size, int):
        if stride != 1:
            raise writer.unsupported(function, "padding that depends on the input's size: say it with --input")
        return before, extent - 1 - before
    centres = (-(-size // stride) - 1) * stride + 1
    extra = size - centres
    return before - extra // 2, (extent - 1 - before) - (extra - extra // 2)


def _rounded_up(writer: Writer, function: Function, size: Dim, pads: int, extent: int, stride: int) -> int:
    if not isinstance(size, int):
        raise writer.unsupported(function, "an output rounded up from a free size: say it with --input")
    return -(size + pads - extent) % stride


def cropped(writer: Writer, function: Function, name: str, pads: list[int], front: int) -> tuple[str, list[int]]:
    """ONNX pads by no negative number: where a centre stands inside, the input is cut there instead."""
    if all(each >= 0 for each in pads):
        return name, pads
    import numpy as np

    rank = len(pads) // 2
    whole = np.iinfo(np.int64).max
    starts = [max(0, -each) for each in pads[:rank]]
    ends = [each if each < 0 else whole for each in pads[rank:]]
    axes = range(front, front + rank)
    parts = [writer.ints(function, *each) for each in (starts, ends, axes)]
    return writer.emit(function, "Slice", [name, *parts]), [max(each, 0) for each in pads]
