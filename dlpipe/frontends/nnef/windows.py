"""Windows that slide: how NNEF's padding, borders and any dims become ONNX's.

An empty padding means "as many outputs as inputs, divided by the stride", with the odd element at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .shaping import bordered, padding
from .step import Step, Tensor

Pads = list[tuple[int, int]]
BORDERS = ("constant", "ignore", "replicate", "reflect", "reflect-even")
_MOST_WINDOW = 1 << 20


@dataclass
class Window:
    """Of the dims that it slides along."""

    size: list[int]
    stride: list[int]
    dilation: list[int]

    @property
    def spans(self) -> list[int]:
        return [(size - 1) * step + 1 for size, step in zip(self.size, self.dilation, strict=True)]


def read_window(step: Step, size: list[int]) -> Window:
    """stride and dilation of the operation: empty means ones."""
    count = len(size)
    window = Window(size, *(step.integers(key) or [1] * count for key in ("stride", "dilation")))
    for key in ("stride", "dilation", "size"):
        values = getattr(window, key)
        if len(values) != count or any(not 0 < each <= _MOST_WINDOW for each in values):
            step.fail(f"its {key} is {values}, for a window of {count} dims")
    return window


def read_pads(step: Step, value: Tensor, first: int, window: Window) -> Pads:
    """Of the dims from `first` on. Raises Refused where they depend on a free dim."""
    if step.args["padding"] != []:
        return padding(step, len(window.size))
    found = []
    for index, (span, stride) in enumerate(zip(window.spans, window.stride, strict=True)):
        total = span - 1
        if stride > 1:
            (size,) = step.sizes(value, [first + index])
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
        found.append((total // 2, total - total // 2))
    return found


def onnx_pads(pads: Pads) -> list[int]:
    return [each[0] for each in pads] + [each[1] for each in pads]


@dataclass
class Turned:
    """A tensor whose dims were ordered so that those that the window slides along are the last ones, after two more
    at least. `back`: the order of the dims that undoes it, `added`: how many dims were put in front."""

    value: Tensor
    axes: list[int]
    back: list[int] | None
    added: int

    def undo(self, step: Step, value: Tensor) -> Tensor:
        if self.added:
            value = step.emit("Squeeze", [value, step.ints(range(self.added))])
        return step.emit("Transpose", [value], perm=self.back) if self.back else value


def turn(step: Step, value: Tensor, axes: list[int]) -> Turned:
    rank = step.rank(value)
    others = [each for each in range(rank) if each not in axes]
    order = [*others, *axes]
    back = None
    if order != list(range(rank)):
        value = step.emit("Transpose", [value], perm=order)
        back = [order.index(each) for each in range(rank)]
    added = max(0, 2 - len(others))
    if added:
        value = step.unsqueeze(value, list(range(added)))
    return Turned(value, axes, back, added)


def sliding(window: Window, pads: Pads) -> list[int]:
    """The dims that a window of all dims really slides along."""
    return [
        axis
        for axis, size in enumerate(window.size)
        if size != 1 or window.stride[axis] != 1 or tuple(pads[axis]) != (0, 0)
    ]


def chosen(window: Window, axes: list[int]) -> Window:
    return Window(*([values[axis] for axis in axes] for values in (window.size, window.stride, window.dilation)))


def bordered_input(step: Step, value: Tensor, pads: Pads, border: str, filler: float) -> Tensor:
    """`pads` of the last dims."""
    rank = step.rank(value)
    return bordered(step, value, [(0, 0)] * (rank - len(pads)) + list(pads), border, filler)


def area(window: Window) -> int:
    return math.prod(window.size)


def ones(step: Step, window: Window) -> Tensor:
    """A filter of one channel that sums what the window sees."""
    if area(window) > _MOST_WINDOW:
        step.fail(f"a window of {window.size}")
    return step.constant(np.ones([1, 1, *window.size], np.float32))
