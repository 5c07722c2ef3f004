"""Rotary position embedding, however it is written out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from .fusion import Fusion, Group, Prepared
from .match import dims, maker, number, sides, stored
from .sizes import Sizes
from .views import View, moved

_OPSET = 23
_MAX_TABLE = 1 << 22  # elements of a table of cosines
_MAX_DEPTH = 6


class FuseRotary(Fusion):
    """Recognise the rotation of queries and keys by their position.

        x[B,H,S,D] -> Mul(cos) ------------------------------------------------ \\
          \\-> Slice(first half), Slice(second half) -> Neg -> Concat -> Mul(sin) -> Add -> y
        becomes   x -> RotaryEmbedding(cos[B,S,D/2], sin[B,S,D/2]) -> y

    Both pairings of elements, halves and neighbours (interleaved), however the pairs are moved: the moves are followed
    element by element. The tables are stored, or are cosine and sine of the same angles once per pair. Requires opset
    23 and a known number of heads, width and, for stored tables, batch. Ensures fewer nodes. Exact up to rounding.
    Sources: Su et al. 2021 (arXiv 2104.09864), and the operator's definition.
    """

    opsets = (_OPSET,)

    def find(self, last: ir.Node, opset: int) -> Group | None:
        if opset < _OPSET or last.op_type != "Add":
            return None
        for straight, turned in sides(last):
            found = _rotation(last, straight, turned)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class _Turn:
    """x with its pairs turned by a quarter: (a, b) -> (-b, a)."""

    interleaved: bool
    nodes: list[ir.Node]


def _rotation(last: ir.Node, straight: ir.Value | None, turned: ir.Value | None) -> Group | None:
    """straight = x * cos, turned = turn(x) * sin."""
    first, second = maker(straight, "Mul"), maker(turned, "Mul")
    if first is None or second is None:
        return None
    for x, cos in sides(first):
        for rotated, sin in sides(second):
            turn = _turn(rotated, x)
            tables = _tables(x, cos, sin, interleaved=turn.interleaved) if turn is not None else None
            if turn is not None and tables is not None and x is not None:
                nodes = [last, first, second, *turn.nodes]
                return Group("RotaryEmbedding", [x, *tables], nodes, {"interleaved": int(turn.interleaved)})
    return None


def _turn(rotated: ir.Value | None, x: ir.Value | None) -> _Turn | None:
    shape = dims(x)
    if x is None or rotated is None or rotated is x or shape is None or len(shape) != 4:
        return None
    width = shape[3]
    if not isinstance(width, int) or not isinstance(shape[1], int) or width % 2:
        return None
    view = View(x, Sizes(x))
    seen = view.of(rotated)
    if seen is None or seen.shape != view.base.shape:
        return None
    first, second = view.base[..., : width // 2], view.base[..., width // 2 :]
    if np.array_equal(seen, np.concatenate([-second, first], axis=-1)):
        return _Turn(False, _between(rotated, x))
    even, odd = view.base[..., ::2], view.base[..., 1::2]
    if np.array_equal(seen, np.stack([-odd, even], axis=-1).reshape(seen.shape)):
        return _Turn(True, _between(rotated, x))
    return None


def _between(rotated: ir.Value, x: ir.Value) -> list[ir.Node]:
    """The nodes that move x to what is rotated."""
    found: list[ir.Node] = []
    waiting: list[ir.Value | None] = [rotated]
    while waiting:
        value = waiting.pop()
        node = value.producer() if value is not None and value is not x else None
        if node is not None and node not in found:
            found.append(node)
            waiting += moved(node)
    return found


def _tables(x: ir.Value | None, cos: ir.Value | None, sin: ir.Value | None, *, interleaved: bool) -> list[Any] | None:
    """Once per pair, [batch, length, width / 2]."""
    shape = dims(x)
    if shape is None or x is None:
        return None
    tables = [stored(table, _MAX_TABLE) for table in (cos, sin)]
    if any(table is None for table in tables):
        return _computed(shape, cos, sin) if not interleaved else None
    batch, _, length, width = shape
    if not isinstance(batch, int) or not isinstance(length, int) or not isinstance(width, int):
        return None
    halves = []
    for table in tables:
        full = table.reshape((1,) * (4 - table.ndim) + table.shape) if table.ndim <= 4 else table
        if full.ndim != 4 or full.shape[1] != 1 or full.shape[0] not in (1, batch) or full.shape[2:] != (length, width):
            return None
        one, other = (full[..., ::2], full[..., 1::2]) if interleaved else np.split(full, 2, axis=-1)
        if not np.array_equal(one, other):
            return None
        halves.append(np.ascontiguousarray(np.broadcast_to(one[:, 0], (batch, length, width // 2))))
    return halves


def _computed(shape: tuple[int | str, ...], cos: ir.Value | None, sin: ir.Value | None) -> list[Any] | None:
    """The tables of angles[B, S, D/2] from Unsqueeze(Cos(Concat(angles, angles)), 1), and the same with Sin."""
    batch, _, length, width = shape
    functions = [_function(table, name) for table, name in ((cos, "Cos"), (sin, "Sin"))]
    doubled = [maker(node.inputs[0], "Concat") if node is not None else None for node in functions]
    if doubled[0] is not doubled[1] or any(dims(table) != (batch, 1, length, width) for table in (cos, sin)):
        return None
    concat = doubled[0]
    if concat is None or concat.attributes.get_int("axis", 0) not in (-1, 2):
        return None
    angles, *others = concat.inputs
    if len(others) != 1 or others[0] is not angles:
        return None
    if angles is None or not isinstance(width, int) or dims(angles) != (batch, length, width // 2):
        return None
    return [Prepared("Cos", angles), Prepared("Sin", angles)]


def _function(table: ir.Value | None, operator: str) -> ir.Node | None:
    """The node that makes the table, before it is unsqueezed and, as HuggingFace's models do, scaled by 1."""
    while (node := maker(table, "Unsqueeze", "Mul")) is not None:
        if node.op_type == "Mul" and 1.0 not in map(number, node.inputs):
            return None
        table = next((each for each in node.inputs if number(each) is None), None)
    return maker(table, operator)
