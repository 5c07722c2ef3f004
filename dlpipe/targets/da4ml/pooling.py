"""Maxima and means, in wires."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import extreme
from .graph import Graph, Node, computed
from .hardware import Values, uniform
from .windows import windows_of


def _greatest(wires: list[Any]) -> Any:
    """As a tree, so that the delay is the logarithm of the count."""
    while len(wires) > 1:
        pairs = [extreme(a, b, max) for a, b in zip(wires[::2], wires[1::2], strict=False)]
        wires = pairs + ([wires[-1]] if len(wires) % 2 else [])
    return wires[0]


def max_pool(graph: Graph, node: Node) -> Values:
    del graph
    value = computed(node, node[0])
    places, windows = windows_of(node, value, tuple(node.attribute("kernel_shape", ())), filled=None)
    wires, scale = (np.empty((1, value.shape[1], *places), kind) for kind in (object, float))
    for place, (seen, scales) in windows():
        for channel in range(value.shape[1]):
            inside = scales[channel] != 0
            shared = uniform(scales[channel][inside])
            if shared is None:
                raise node.refused("a maximum over tensors of different scales")
            wires[(0, channel, *place)] = _greatest(list(seen[channel][inside]))
            scale[(0, channel, *place)] = shared
    return Values(wires, scale)


def average_pool(graph: Graph, node: Node) -> Values:
    value = computed(node, node[0])
    if node.op == "GlobalAveragePool":
        places, windows = [1] * len(value.shape[2:]), None
    else:
        places, windows = windows_of(node, value, tuple(node.attribute("kernel_shape", ())), filled=None)
    wires, scale = (np.empty((1, value.shape[1], *places), kind) for kind in (object, float))
    whole = windows() if windows else [((0,) * len(places), (value.wires[0], value.scale[0]))]
    for place, (seen, scales) in whole:
        for channel in range(value.shape[1]):
            inside = scales[channel] != 0
            shared = uniform(scales[channel][inside])
            if shared is None:
                raise node.refused("a mean over tensors of different scales")
            count = int(inside.size if node.attribute("count_include_pad", 0) else inside.sum())
            found = graph.circuit.products(seen[channel][inside].ravel(), np.ones((int(inside.sum()), 1)))
            wires[(0, channel, *place)], scale[(0, channel, *place)] = found[0], shared / count
    return Values(wires, scale)


def reduce_mean(graph: Graph, node: Node) -> Values:
    value = computed(node, node[0])
    axes = node.attribute("axes", None)
    if axes is None and node.optional(1) is not None:
        axes = [int(axis) for axis in node[1].value]
    axes = sorted(axis % len(value.shape) for axis in axes or range(len(value.shape)))
    rest = [axis for axis in range(len(value.shape)) if axis not in axes]
    count = math.prod(value.shape[axis] for axis in axes)
    kept = [value.shape[axis] for axis in rest]
    rows, scales = (each.transpose(*rest, *axes).reshape(-1, count) for each in (value.wires, value.scale))
    wires, scale = np.empty(len(rows), object), np.empty(len(rows))
    for number, (row, row_scale) in enumerate(zip(rows, scales, strict=True)):
        shared = uniform(row_scale)
        if shared is None:
            raise node.refused("a mean over tensors of different scales")
        wires[number] = graph.circuit.products(row, np.ones((count, 1)))[0]
        scale[number] = shared / count
    shape = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
    return Values(*(each.reshape(shape if node.attribute("keepdims", 1) else kept) for each in (wires, scale)))


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": average_pool,
    "MaxPool": max_pool,
    "ReduceMean": reduce_mean,
}
