"""The windows of convolutions and pools, of 1 to 3 dims."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Node
from .hardware import Values


def windows_of(node: Node, value: Values, kernel: tuple[int, ...], filled: float | None) -> Any:
    """The places that a window comes to, and a generator of (place, (wires, scales)), each [C, *kernel]. `filled` is
    what stands in the padding; None marks it in the scales by a 0."""
    dims = len(kernel)
    strides, dilations = (node.attribute(name, [1] * dims) for name in ("strides", "dilations"))
    before, after = _padding(node, value.shape[2:], kernel, strides, dilations)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    sizes = [have + a + b for have, a, b in zip(value.shape[2:], before, after, strict=True)]
    rounded: Callable[[float], int] = math.ceil if node.attribute("ceil_mode", 0) else math.floor
    places = [rounded((s - e) / t) + 1 for s, e, t in zip(sizes, extents, strides, strict=True)]
    # ONNX: a window that would start in the padding at the end is none
    places = [
        n - 1 if rounded is math.ceil and (n - 1) * t >= have + a else n
        for n, t, have, a in zip(places, strides, value.shape[2:], before, strict=True)
    ]
    further = [
        max(0, (n - 1) * t + e - s) for n, t, e, s in zip(places, strides, extents, sizes, strict=True)
    ]  # beyond the padding, with ceil_mode
    around = [(0, 0), *((a, b + more) for a, b, more in zip(before, after, further, strict=True))]
    wires = np.pad(value.wires[0], around, constant_values=0.0 if filled is None else filled)
    inner = np.pad(np.ones(value.shape[1:], bool), around, constant_values=False)
    typical = float(value.scale.flat[0])
    scales = np.pad(value.scale[0], around, constant_values=typical)
    if filled is None:
        scales = np.where(inner, scales, 0.0)

    def walk() -> Any:
        for place in itertools.product(*map(range, places)):
            window = tuple(
                slice(p * t, p * t + e, d) for p, t, e, d in zip(place, strides, extents, dilations, strict=True)
            )
            yield place, (wires[(slice(None), *window)], scales[(slice(None), *window)])

    return places, walk


def _padding(node: Node, sizes: Any, kernel: Any, strides: Any, dilations: Any) -> tuple[list[int], list[int]]:
    dims, kind = len(kernel), node.attribute("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID"):
        pads = node.attribute("pads", [0] * (2 * dims)) if kind == "NOTSET" else [0] * (2 * dims)
        return list(pads[:dims]), list(pads[dims:])
    before, after = [], []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        whole = max(0, (math.ceil(size / stride) - 1) * stride + (width - 1) * dilation + 1 - size)
        less = whole // 2
        before.append(less if kind == "SAME_UPPER" else whole - less)
        after.append(whole - before[-1])
    return before, after
