"""Formulas of the shape y = P(x, f(Q(x))): a polynomial around one nonlinear operator."""

from dataclasses import dataclass

import onnx_ir as ir

from .match import FLOATS, maker, number, private, same, stored
from .polynomial import ARITHMETIC, Polynomial, Reading

_MAX_DEPTH = 8
_CANCELLED = 1e-7  # relative: what rounding leaves of terms that cancel


@dataclass(frozen=True, slots=True)
class Formula:
    """`outer` in the powers of x and of what `inner` makes; `argument`, of inner's first input, in those of x."""

    x: ir.Value
    inner: ir.Node
    outer: Polynomial
    argument: Polynomial
    nodes: list[ir.Node]

    def is_(self, meant: Polynomial) -> bool:
        return equal(self.outer, meant, self.x.dtype)

    def argument_is(self, meant: Polynomial) -> bool:
        return equal(self.argument, meant, self.x.dtype)


def formula(last: ir.Node, *operators: str) -> Formula | None:
    """What `last` computes, if it is arithmetic around one of these operators, applied to arithmetic on one value."""
    if last.op_type not in ARITHMETIC:
        return None
    inner = _below(last, operators, 0)
    x = source(inner.inputs[0]) if inner is not None else None
    if inner is None or x is None or x.dtype not in FLOATS:
        return None
    around, inside = Reading([x, inner.outputs[0]]), Reading([x])
    outer = around.of(last.outputs[0])
    argument = inside.of(inner.inputs[0])
    if outer is None or argument is None:
        return None
    return Formula(x, inner, outer, argument, [*around.nodes, inner, *inside.nodes])


def equal(found: Polynomial, meant: Polynomial, dtype: ir.DataType | None) -> bool:
    """Coefficient by coefficient; a power that is not named must not occur."""
    assert dtype is not None
    nothing = _CANCELLED * max(map(abs, meant.values()))
    others = all(abs(float(factor)) <= nothing for powers, factor in found.items() if powers not in meant)
    return others and all(same(float(found.get(powers, 0.0)), factor, dtype) for powers, factor in meant.items())


def _below(node: ir.Node, operators: tuple[str, ...], depth: int) -> ir.Node | None:
    """The first such operator on the way up through arithmetic."""
    for value in node.inputs if depth < _MAX_DEPTH else ():
        inner = maker(value, *operators)
        if inner is not None:
            return inner
    for value in node.inputs if depth < _MAX_DEPTH else ():
        next_one = maker(value, *ARITHMETIC)
        found = (
            _below(next_one, operators, depth + 1) if next_one is not None and private(next_one.outputs[0]) else None
        )
        if found is not None:
            return found
    return None


def source(value: ir.Value | None, depth: int = 0) -> ir.Value | None:
    """The value that all arithmetic above `value` starts from: the first that is read more than once, or that is
    made of two others or a stored array."""
    node = maker(value, *ARITHMETIC)
    if value is None or node is None or not private(value) or depth > _MAX_DEPTH:
        return value
    found = [source(each, depth + 1) for each in node.inputs if number(each) is None]
    alike = bool(found) and all(each is found[0] for each in found)
    return found[0] if alike and stored(found[0]) is None else value
