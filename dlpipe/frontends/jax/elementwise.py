"""Element by element: arithmetic, comparison, logic, conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .hlo import Value, Walker, handles, refuse, type_of

_UNARY = {
    "abs": "Abs", "ceil": "Ceil", "cosine": "Cos", "exponential": "Exp", "floor": "Floor", "log": "Log",
    "logistic": "Sigmoid", "negate": "Neg", "sign": "Sign", "sine": "Sin", "sqrt": "Sqrt", "tan": "Tan",
    "tanh": "Tanh", "round_nearest_even": "Round",
}  # fmt: skip
_CHLO = {
    "erf": "Erf", "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
    "atanh": "Atanh", "cosh": "Cosh", "sinh": "Sinh", "tan": "Tan",
}  # fmt: skip
_BINARY = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "maximum": "Max", "minimum": "Min", "power": "Pow"}
_LOGIC = {"and": "And", "or": "Or", "xor": "Xor"}
_BITS = {"and": "BitwiseAnd", "or": "BitwiseOr", "xor": "BitwiseXor"}
_COMPARE = {"EQ": "Equal", "LT": "Less", "LE": "LessOrEqual", "GT": "Greater", "GE": "GreaterOrEqual"}


def spread(walker: Walker, op: str, values: Sequence[Value], shape: Sequence[int], dtype: Any) -> Value:
    """A node that broadcasts: operands with repeated dims are given as they are, as long as one has all dims."""
    whole = [each for each in values if each.small is None or each.small == each.shape]
    names = [each.name for each in values] if whole else [walker.full(values[0]), *(each.name for each in values[1:])]
    return walker.node(op, names, shape, dtype)


@handles(*(f"stablehlo.{name}" for name in _UNARY), *(f"chlo.{name}" for name in _CHLO))
def unary(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    dialect, _, name = operation.name.partition(".")
    op = _CHLO[name] if dialect == "chlo" else _UNARY[name]
    return [walker.node(op, operands, *type_of(operation.results[0]))]


def special(walker: Walker, name: str, operands: Sequence[Value]) -> Value | None:
    """What a composite `chlo.name` stands for, where ONNX has it as one operator."""
    op = _CHLO.get(name)
    return None if op is None else walker.node(op, operands, operands[0].shape, operands[0].dtype)


@handles("stablehlo.add", "stablehlo.subtract", "stablehlo.multiply", "stablehlo.maximum", "stablehlo.minimum")
def binary(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    name = operation.name.partition(".")[2]
    if dtype == np.bool_:
        logic = {"add": "Or", "maximum": "Or", "multiply": "And", "minimum": "And"}.get(name)
        if logic is None:
            raise refuse(operation, "of truth values")
        return [spread(walker, logic, operands, shape, dtype)]
    return [spread(walker, _BINARY[name], operands, shape, dtype)]


@handles("stablehlo.power")
def power(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    return [spread(walker, "Pow", operands, *type_of(operation.results[0]))]


@handles("stablehlo.divide")
def divide(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Integers are cut off toward zero, as ONNX Runtime's Div does."""
    return [spread(walker, "Div", operands, *type_of(operation.results[0]))]


@handles("stablehlo.remainder")
def remainder(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """The sign is the dividend's: C's fmod."""
    shape, dtype = type_of(operation.results[0])
    names = [walker.full(each) for each in operands]
    return [walker.node("Mod", names, shape, dtype, fmod=1)]


@handles("stablehlo.and", "stablehlo.or", "stablehlo.xor")
def logic(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    table = _LOGIC if dtype == np.bool_ else _BITS
    return [spread(walker, table[operation.name.partition(".")[2]], operands, shape, dtype)]


@handles("stablehlo.not")
def invert(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    return [walker.node("Not" if dtype == np.bool_ else "BitwiseNot", operands, shape, dtype)]


@handles("stablehlo.compare")
def compare(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    direction = str(operation.attributes["comparison_direction"]).split()[-1].rstrip(">")
    if operands[0].dtype == np.bool_ and direction not in ("EQ", "NE"):
        operands = [walker.cast(each, np.int32) for each in operands]
    if direction == "NE":
        same = spread(walker, "Equal", operands, shape, dtype)
        return [walker.node("Not", [same], shape, dtype)]
    return [spread(walker, _COMPARE[direction], operands, shape, dtype)]


@handles("stablehlo.select")
def select(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    chosen, yes, no = operands
    shape, dtype = type_of(operation.results[0])
    if dtype == np.bool_:  # ONNX Runtime's Where takes none
        other = walker.node("Not", [chosen.name], chosen.shape, dtype)
        kept = [
            walker.node("And", [one.name, walker.full(two)], shape, dtype) for one, two in ((chosen, yes), (other, no))
        ]
        return [walker.node("Or", kept, shape, dtype)]
    if dtype.kind in "iu" and dtype.itemsize < 4:
        yes, no = walker.cast(yes, np.int32), walker.cast(no, np.int32)
        return [walker.cast(spread(walker, "Where", [chosen, yes, no], shape, np.int32), dtype)]
    if chosen.shape != shape:  # one truth value for all
        names = [chosen.name, walker.full(yes), walker.full(no)]
        return [walker.node("Where", names, shape, dtype)]
    return [spread(walker, "Where", [chosen, yes, no], shape, dtype)]


@handles("stablehlo.clamp")
def clamp(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    low, value, high = operands
    shape, dtype = type_of(operation.results[0])
    raised = walker.node("Max", [walker.full(value), low.name], shape, dtype)
    return [walker.node("Min", [raised.name, high.name], shape, dtype)]


@handles("stablehlo.convert")
def convert(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    return [walker.cast(operands[0], type_of(operation.results[0])[1])]


@handles("stablehlo.rsqrt", "stablehlo.cbrt", "stablehlo.exponential_minus_one", "stablehlo.log_plus_one")
def composed(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    value = operands[0]
    one = walker.constant(np.ones((), dtype))
    if operation.name.endswith("rsqrt"):
        return [walker.node("Reciprocal", [walker.node("Sqrt", [value], shape, dtype)], shape, dtype)]
    if operation.name.endswith("cbrt"):
        third = walker.constant(np.asarray(1 / 3, dtype))
        size = walker.node("Pow", [walker.node("Abs", [value], shape, dtype).name, third.name], shape, dtype)
        return [walker.node("Mul", [walker.node("Sign", [value], shape, dtype), size], shape, dtype)]
    if operation.name.endswith("minus_one"):
        return [walker.node("Sub", [walker.node("Exp", [value], shape, dtype).name, one.name], shape, dtype)]
    return [walker.node("Log", [walker.node("Add", [walker.full(value), one.name], shape, dtype)], shape, dtype)]


@handles("stablehlo.round_nearest_afz")
def round_away(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    half = walker.constant(np.asarray(0.5, dtype))
    size = walker.node("Add", [walker.node("Abs", operands, shape, dtype).name, half.name], shape, dtype)
    down = walker.node("Floor", [size], shape, dtype)
    return [walker.node("Mul", [walker.node("Sign", operands, shape, dtype), down], shape, dtype)]


@handles("stablehlo.is_finite")
def is_finite(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    no = [walker.node(op, operands, shape, dtype) for op in ("IsNaN", "IsInf")]
    return [walker.node("Not", [walker.node("Or", no, shape, dtype)], shape, dtype)]


@handles("stablehlo.atan2")
def atan2(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """The angle of (x, y) by quadrants: atan(y/x), half a turn further where x < 0, a quarter where x is 0."""
    shape, dtype = type_of(operation.results[0])
    y, x = (Value(walker.full(each), shape, dtype) for each in operands)
    zero, quarter, half = (walker.constant(np.asarray(each, dtype)).name for each in (0, np.pi / 2, np.pi))
    plain = walker.node("Atan", [walker.node("Div", [y, x], shape, dtype)], shape, dtype)
    up = walker.node("GreaterOrEqual", [y.name, zero], shape, np.bool_)
    turn = walker.node("Where", [up.name, half, walker.constant(np.asarray(-np.pi, dtype)).name], shape, dtype)
    left = walker.node("Less", [x.name, zero], shape, np.bool_)
    turned = walker.node("Where", [left, walker.node("Add", [plain, turn], shape, dtype), plain], shape, dtype)
    upright = walker.node("Mul", [walker.node("Sign", [y], shape, dtype).name, quarter], shape, dtype)
    on_axis = walker.node("Equal", [x.name, zero], shape, np.bool_)
    return [walker.node("Where", [on_axis, upright, turned], shape, dtype)]
