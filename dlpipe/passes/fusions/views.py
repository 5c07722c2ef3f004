"""Which element of one value each element of another is, through operators that only move elements about."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

from .match import maker, number, stored
from .sizes import Sizes

_MAX_ELEMENTS = 1 << 22
_MAX_DEPTH = 16
_MOVES = ("Reshape", "Transpose", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Identity")
_SCALES = ("Mul", "Div")


class View:
    """Elements of `base`, numbered from 1 in their order, seen from values that are made of it. A negative number is
    an element with its sign changed. `scaled`: products with a number count as moves, and their factor is left out."""

    def __init__(self, base: ir.Value, sizes: Sizes, *, scaled: bool = False) -> None:
        self._sizes = sizes
        self._scaled = scaled
        shape = sizes.of(base)
        small = shape is not None and 0 < np.prod(shape, dtype=np.float64) <= _MAX_ELEMENTS
        self._known: dict[ir.Value, Any] = {}
        if small and shape is not None:
            self._known[base] = np.arange(1, np.prod(shape, dtype=np.int64) + 1).reshape(shape)
        self.base: Any = self._known.get(base)

    def of(self, value: ir.Value | None, depth: int = 0) -> Any:
        """The number of each element; None where it is not only moved."""
        if value is None or depth > _MAX_DEPTH or self.base is None:
            return None
        if value not in self._known:
            node = maker(value, *_HANDLERS)
            self._known[value] = None if node is None else self._made(node, value, depth)
        return self._known[value]

    def _made(self, node: ir.Node, value: ir.Value, depth: int) -> Any:
        if node.op_type in _SCALES and not self._scaled and not _negates(node):
            return None
        parts = [self.of(each, depth + 1) for each in moved(node)]
        if not parts or any(part is None for part in parts):
            return None
        try:
            found = _HANDLERS[node.op_type](node, parts, self._sizes.of(value))
        except (ValueError, IndexError, TypeError):
            return None
        return found if found is None or found.size <= _MAX_ELEMENTS else None


def moved(node: ir.Node) -> list[ir.Value | None]:
    """The inputs that a node moves: all of a Concat, the one of a product that is not stored."""
    if node.op_type == "Concat":
        return list(node.inputs)
    if node.op_type in _SCALES:
        scaled = [value for value in node.inputs if number(value) is None]
        return scaled if len(scaled) == 1 and (node.op_type == "Mul" or scaled[0] is node.inputs[0]) else []
    return list(node.inputs[:1])


def chain(value: ir.Value | None, *scales: str) -> Iterator[ir.Value]:
    """The value, and what it is a view of, one operator after the other. `scales`: Mul, Div: through these too."""
    for _ in range(_MAX_DEPTH):
        if value is None:
            return
        yield value
        node = maker(value, *_MOVES, *scales)
        source = moved(node) if node is not None else []
        value = source[0] if source else None


def _negates(node: ir.Node) -> bool:
    return node.op_type == "Mul" and -1.0 in map(number, node.inputs)


def _transpose(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del shape
    return parts[0].transpose(node.attributes.get_ints("perm", None))


def _shaped(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del node
    return None if shape is None else parts[0].reshape(shape)


def _expand(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del node
    return None if shape is None else np.broadcast_to(parts[0], shape)


def _slice(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del shape
    given = [stored(value, 16) if value is not None else None for value in node.inputs[1:]]
    starts, ends, axes, steps = [*given, None, None][:4]
    if (
        starts is None
        or ends is None
        or any(v is not None and g is None for v, g in zip(node.inputs[1:], given, strict=True))
    ):
        return None
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    found = parts[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step <= 0:
            return None
        cut = [slice(None)] * found.ndim
        cut[int(axis)] = slice(int(start), int(end), int(step))
        found = found[tuple(cut)]
    return found


def _concat(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del shape
    return np.concatenate(parts, axis=node.attributes.get_int("axis", 0))


def _negative(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del node, shape
    return -parts[0]


def _same(node: ir.Node, parts: list[Any], shape: list[int] | None) -> Any:
    del shape
    return -parts[0] if _negates(node) else parts[0]


_HANDLERS: dict[str, Callable[[ir.Node, list[Any], list[int] | None], Any]] = {
    "Reshape": _shaped,
    "Transpose": _transpose,
    "Unsqueeze": _shaped,
    "Squeeze": _shaped,
    "Flatten": _shaped,
    "Expand": _expand,
    "Slice": _slice,
    "Concat": _concat,
    "Neg": _negative,
    "Identity": _same,
    "Mul": _same,
    "Div": _same,
}
