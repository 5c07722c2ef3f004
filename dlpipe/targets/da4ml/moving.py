"""Operators that only move elements: wires, at no cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Graph, Node
from .hardware import Array, Constant, NotQuantised, Pending, Values


def _moved(value: Any, move: Callable[[Array], Array]) -> Any:
    if isinstance(value, Pending):
        raise NotQuantised(f"{value.op} is not followed by a quantiser")
    if isinstance(value, Constant):
        return Constant(move(value.levels), move(value.scale))
    return value.moved(move)


def _whole(constant: Constant) -> list[int]:
    return [int(each) for each in constant.value.ravel()]


def _shape(value: Any) -> tuple[int, ...]:
    return tuple((value.levels if isinstance(value, Constant) else value.wires).shape)


def identity(graph: Graph, node: Node) -> Any:
    del graph
    return node[0]


def flatten(graph: Graph, node: Node) -> Any:
    del graph
    shape, axis = _shape(node[0]), node.attribute("axis", 1)
    rows = int(np.prod(shape[:axis], dtype=int))
    return _moved(node[0], lambda array: array.reshape(rows, -1))


def reshape(graph: Graph, node: Node) -> Any:
    """The batch is one: a first dim of the target that is not is that of another batch."""
    del graph
    have = _shape(node[0])
    wanted = _whole(node[1])
    if not node.attribute("allowzero", 0):
        wanted = [have[axis] if dim == 0 else dim for axis, dim in enumerate(wanted)]
    return _moved(node[0], lambda array: array.reshape(wanted))


def transpose(graph: Graph, node: Node) -> Any:
    del graph
    return _moved(node[0], lambda array: array.transpose(node.attribute("perm", None)))


def squeeze(graph: Graph, node: Node) -> Any:
    del graph
    axes = tuple(_whole(node[1])) if node.optional(1) is not None else node.attribute("axes", None)
    return _moved(node[0], lambda array: np.squeeze(array, None if axes is None else tuple(axes)))


def unsqueeze(graph: Graph, node: Node) -> Any:
    del graph
    axes = _whole(node[1]) if node.optional(1) is not None else node.attribute("axes", None)
    return _moved(node[0], lambda array: np.expand_dims(array, tuple(axes)))


def concat(graph: Graph, node: Node) -> Any:
    """Each part keeps its scale."""
    del graph
    parts = [node[index] for index in range(len(node))]
    if any(isinstance(part, Pending) for part in parts):
        raise NotQuantised("one of its parts is not followed by a quantiser")
    axis = node.attribute("axis", 0)
    if all(isinstance(part, Constant) for part in parts):
        return Constant(*(np.concatenate([getattr(p, side) for p in parts], axis) for side in ("levels", "scale")))
    wires = [part.levels.astype(object) if isinstance(part, Constant) else part.wires for part in parts]
    return Values(np.concatenate(wires, axis), np.concatenate([part.scale for part in parts], axis))


def pad(graph: Graph, node: Node) -> Any:
    """With zeros."""
    del graph
    filled = node.optional(2)
    if node.attribute("mode", "constant") != "constant" or (filled is not None and float(filled.value.flat[0]) != 0):
        raise node.refused("padding with anything but zeros")
    dims = len(_shape(node[0]))
    amounts = _whole(node[1])
    axes = [axis % dims for axis in _whole(node[3])] if node.optional(3) is not None else list(range(dims))
    around = [(0, 0)] * dims
    for place, axis in enumerate(axes):
        around[axis] = (amounts[place], amounts[place + len(axes)])
    if min(min(each) for each in around) < 0:
        raise node.refused("negative padding")
    value = node[0]
    typical = float(value.scale.flat[0])
    return Values(
        np.pad(value.wires, around, constant_values=0.0), np.pad(value.scale, around, constant_values=typical)
    )


def slice_(graph: Graph, node: Node) -> Any:
    del graph
    dims = len(_shape(node[0]))
    starts, ends = _whole(node[1]), _whole(node[2])
    axes = _whole(node[3]) if node.optional(3) is not None else list(range(len(starts)))
    steps = _whole(node[4]) if node.optional(4) is not None else [1] * len(starts)
    where = [slice(None)] * dims
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise node.refused("a slice that goes backwards")
        where[axis] = slice(start, end, step)
    return _moved(node[0], lambda array: array[tuple(where)])


def split(graph: Graph, node: Node) -> list[Any]:
    del graph
    axis = node.attribute("axis", 0)
    size = _shape(node[0])[axis]
    sizes = _whole(node[1]) if node.optional(1) is not None else node.attribute("split", None)
    if sizes is None:
        share = -(-size // len(node.outputs))
        sizes = [min(share, size - share * number) for number in range(len(node.outputs))]
    places = list(np.cumsum(sizes)[:-1])

    def part(number: int) -> Any:
        return _moved(node[0], lambda array: np.split(array, places, axis)[number])

    return [part(number) for number in range(len(sizes))]


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "Concat": concat,
    "Dropout": identity,
    "Flatten": flatten,
    "Identity": identity,
    "Pad": pad,
    "Reshape": reshape,
    "Slice": slice_,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
