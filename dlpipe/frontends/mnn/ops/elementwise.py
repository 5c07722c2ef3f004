"""Functions of single numbers, of pairs, and of several tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..step import Step, operator

_BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div", 4: "Max", 5: "Min", 6: "Pow", 7: "Div", 8: "Min", 9: "Max"}
_SQUARED_DIFFERENCE = 14
_INT32, _BOOL = 6, 9  # of the enum TensorProto.DataType


_COMPARISONS = {10: "Greater", 11: "GreaterOrEqual", 12: "Less", 15: "Equal", 16: "LessOrEqual"}
_FLOOR_DIVISION, _NOT_EQUAL, _REMAINDERS = 13, 22, {17: 0, 19: 1}  # with the divisor's sign, or the dividend's


@operator("BinaryOp", limits="no operation on bits")
def _binary(step: Step) -> None:
    step.expect(2)
    table = step.op.table("BinaryOp")
    kind, activation = int(table.number(0, "int32")), int(table.number(2, "int32"))
    if activation not in (0, 1):
        step.unsupported(f"its activation {activation} is not converted")
    made = _combined(step, kind)
    step.name_top(step.node("Relu", [made]) if activation else made)


def _combined(step: Step, kind: int) -> str:
    whole = np.issubdtype(step.graph.dtype(step.value) or np.float32, np.integer)
    if kind in _BINARY:
        return step.node(_BINARY[kind], step.inputs)
    if kind == _SQUARED_DIFFERENCE:
        apart = step.node("Sub", step.inputs)
        return step.node("Mul", [apart, apart])
    if kind in _COMPARISONS:
        return step.node("Cast", [step.node(_COMPARISONS[kind], step.inputs)], to=_INT32)
    if kind == _NOT_EQUAL:
        return step.node("Cast", [step.node("Not", [step.node("Equal", step.inputs)])], to=_INT32)
    if kind in _REMAINDERS and whole:
        return step.node("Mod", step.inputs, fmod=_REMAINDERS[kind])
    if kind != _FLOOR_DIVISION or whole:
        step.unsupported(f"its operation {kind} is not converted")
    return step.node("Floor", [step.node("Div", step.inputs)])


@operator("Eltwise")
def _eltwise(step: Step) -> None:
    step.expect(None)
    table = step.op.table("Eltwise")
    kind, coefficients = int(table.number(0, "int8")), [float(each) for each in table.array(1, "float32")]
    if coefficients and (kind != 1 or len(coefficients) != len(step.inputs)):
        step.unsupported(f"it has the coefficients {coefficients[:4]}")
    values = [
        value if factor == 1 else step.node("Mul", [value, step.number(factor, "coefficient")])
        for value, factor in zip(step.inputs, coefficients or [1.0] * len(step.inputs), strict=True)
    ]
    name = {0: "Mul", 1: "Add", 2: "Max", 3: "Sub"}.get(kind)
    if name is None:
        step.fail(f"its operation is {kind}")
    result = values[0]
    for each in values[1:]:
        result = step.node(name, [result, each])
    step.name_top(result)


@operator("ReLU")
def _relu(step: Step) -> None:
    step.expect()
    slope = float(step.op.table("Relu").number(0, "float32", 0.0)) if step.op.main is not None else 0.0
    if slope:
        step.out("LeakyRelu", [step.value], alpha=slope)
    else:
        step.out("Relu", [step.value])


@operator("ReLU6")
def _clip(step: Step) -> None:
    step.expect()
    low, high = 0.0, 6.0
    if step.op.main is not None:
        table = step.op.table("Relu6")
        low, high = float(table.number(0, "float32", 0.0)), float(table.number(1, "float32", 6.0))
    step.out("Clip", [step.value, step.number(low, "min"), step.number(high, "max")])


@operator("PReLU")
def _prelu(step: Step) -> None:
    step.expect()
    slope = step.op.table("PRelu").array(1, "float32")
    shape = step.shape()
    if not slope.size or (slope.size > 1 and (step.format == 1 or len(shape) < 2 or shape[1] != slope.size)):
        step.fail(f"{slope.size} slopes for {shape}")
    step.out("PRelu", [step.value, step.constant(slope.reshape(-1, *[1] * (len(shape) - 2)), "slope")])


@operator("ELU")
def _elu(step: Step) -> None:
    step.expect()
    step.out("Elu", [step.value], alpha=float(step.op.table("ELU").number(0, "float32", 0.0)))


@operator("Selu")
def _selu(step: Step) -> None:
    step.expect()
    table = step.op.table("Selu")
    step.out(
        "Selu", [step.value], gamma=float(table.number(0, "float32", 0.0)), alpha=float(table.number(1, "float32", 0.0))
    )


def _plain(step: Step) -> None:
    step.expect()
    step.out({"Sigmoid": "Sigmoid", "TanH": "Tanh", "AbsVal": "Abs", "Bnll": "Softplus"}[step.op.type], [step.value])


operator("Sigmoid", "TanH", "AbsVal", "Bnll")(_plain)


def _square(step: Step) -> str:
    return step.node("Mul", [step.value, step.value])


def _rsqrt(step: Step) -> str:
    return step.node("Reciprocal", [step.node("Sqrt", [step.value])])


def _hard_swish(step: Step) -> str:
    return step.node("HardSwish", [step.value])


def _log1p(step: Step) -> str:
    return step.node("Log", [step.node("Add", [step.value, step.number(1, "one")])])


def _expm1(step: Step) -> str:
    return step.node("Sub", [step.node("Exp", [step.value]), step.number(1, "one")])


def _erfc(step: Step) -> str:
    return step.node("Sub", [step.number(1, "one"), step.node("Erf", [step.value])])


def _gelu(step: Step) -> str:
    """By the error function."""
    turned = step.node("Erf", [step.node("Mul", [step.value, step.number(0.7071067811865476, "scale")])])
    part = step.node("Add", [turned, step.number(1, "one")])
    return step.node("Mul", [step.node("Mul", [step.value, step.number(0.5, "half")]), part])


def _gelu_by_tanh(step: Step) -> str:
    cube = step.node("Mul", [_square(step), step.value])
    inner = step.node("Add", [step.value, step.node("Mul", [cube, step.number(0.044715, "cubic")])])
    turned = step.node("Tanh", [step.node("Mul", [inner, step.number(0.79788458, "scale")])])
    part = step.node("Add", [turned, step.number(1, "one")])
    return step.node("Mul", [step.node("Mul", [step.value, step.number(0.5, "half")]), part])


def _silu(step: Step) -> str:
    return step.node("Mul", [step.value, step.node("Sigmoid", [step.value])])


# The enum UnaryOpOperation.
_UNARY: Sequence[str | Callable[[Step], str] | None] = (
    "Abs", "Neg", "Floor", "Ceil", _square, "Sqrt", _rsqrt, "Exp", "Log", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan",
    "Reciprocal", _log1p, "Softplus", "Acosh", "Sinh", "Asinh", "Atanh", "Sign", "Round", "Cosh", "Erf", _erfc, None,
    _expm1, "Sigmoid", "Tanh", _hard_swish, _gelu_by_tanh, _gelu, _silu,
)  # fmt: skip


@operator("UnaryOp")
def _unary(step: Step) -> None:
    step.expect()
    kind = int(step.op.table("UnaryOp").number(0, "int32"))
    how = _UNARY[kind] if 0 <= kind < len(_UNARY) else None
    if how is None:
        step.unsupported(f"its operation {kind} is not converted")
    step.name_top(how(step) if callable(how) else step.node(how, [step.value]))


@operator("Cast")
def _cast(step: Step) -> None:
    step.expect()
    target = {1: 1, 3: 6, 4: 2, 6: 3, 9: 7, 10: 9}.get(int(step.op.table("CastParam").number(1, "int32")))
    if target is None:
        step.unsupported("it casts to a type that is not converted")
    step.out("Cast", [step.value], to=target)


@operator("Dropout")
def _same(step: Step) -> None:
    step.expect()
    step.done(step.value)


@operator("Select")
def _select(step: Step) -> None:
    step.expect(3)
    step.out("Where", [step.node("Cast", [step.value], to=_BOOL), *step.inputs[1:]])
