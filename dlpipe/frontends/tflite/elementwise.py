"""Operators that work number by number, with broadcasting."""

from __future__ import annotations

from functools import partial
from typing import Any

from .handlers import handles
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import Scope, element

_UNARY = {
    "ABS": "Abs",
    "CEIL": "Ceil",
    "COS": "Cos",
    "ELU": "Elu",
    "EXP": "Exp",
    "FLOOR": "Floor",
    "HARD_SWISH": "HardSwish",
    "LOG": "Log",
    "LOGICAL_NOT": "Not",
    "LOGISTIC": "Sigmoid",
    "NEG": "Neg",
    "ROUND": "Round",
    "SIGN": "Sign",
    "SIN": "Sin",
    "SQRT": "Sqrt",
    "TANH": "Tanh",
}
_BINARY = {
    "ADD": "Add",
    "SUB": "Sub",
    "MUL": "Mul",
    "DIV": "Div",
    "MAXIMUM": "Max",
    "MINIMUM": "Min",
    "POW": "Pow",
    "LOGICAL_AND": "And",
    "LOGICAL_OR": "Or",
    "BITWISE_XOR": "BitwiseXor",
}
_COMPARISONS = {
    "EQUAL": ("Equal", False),
    "NOT_EQUAL": ("Equal", True),
    "LESS": ("Less", False),
    "LESS_EQUAL": ("LessOrEqual", False),
    "GREATER": ("Greater", False),
    "GREATER_EQUAL": ("GreaterOrEqual", False),
}


def _unary(onnx_op: str, scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(op.inputs[0])
    scope.result(op.outputs[0], onnx_op, [scope.real(op.inputs[0], nchw)], real=True, nchw=nchw)


def _binary(onnx_op: str, scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(*op.inputs)
    values = [scope.real(index, nchw) for index in op.inputs]
    activation = ACTIVATIONS[op.options.get("activation", 0)]
    scope.result(op.outputs[0], onnx_op, values, real=True, nchw=nchw, activation=activation)


def _comparison(onnx_op: str, negated: bool, scope: Scope, op: Operator) -> None:
    values = [scope.real(index) for index in op.inputs]
    if negated:
        made = scope.node(onnx_op, values, scope.name(op.outputs[0]))
        scope.result(op.outputs[0], "Not", [made])
    else:
        scope.result(op.outputs[0], onnx_op, values)


for _name, _onnx in _UNARY.items():
    handles(_name)(partial(_unary, _onnx))
for _name, _onnx in _BINARY.items():
    handles(_name)(partial(_binary, _onnx))
for _name, (_onnx, _negated) in _COMPARISONS.items():
    handles(_name)(partial(_comparison, _onnx, _negated))


@handles("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
def relu(scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(op.inputs[0])
    x = scope.real(op.inputs[0], nchw)
    scope.result(op.outputs[0], "Identity", [x], real=True, nchw=nchw, activation=op.op)


@handles("LEAKY_RELU")
def leaky_relu(scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(op.inputs[0])
    x = scope.real(op.inputs[0], nchw)
    scope.result(op.outputs[0], "LeakyRelu", [x], real=True, nchw=nchw, alpha=float(op.options["alpha"]))


@handles("PRELU")
def prelu(scope: Scope, op: Operator) -> None:
    _binary("PRelu", scope, op)


@handles("GELU")
def gelu(scope: Scope, op: Operator) -> None:
    """x / 2 (1 + erf(x / sqrt 2)); approximate: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    nchw = scope.prefers_nchw(op.inputs[0])
    x, name = scope.real(op.inputs[0], nchw), scope.name(op.outputs[0])
    if op.options["approximate"]:
        cubed = scope.node("Mul", [scope.node("Mul", [x, x], name), x], name)
        bent = scope.node("Add", [x, scope.node("Mul", [cubed, _number(scope, name, 0.044715)], name)], name)
        curve = scope.node("Tanh", [scope.node("Mul", [bent, _number(scope, name, 0.7978845608)], name)], name)
    else:
        curve = scope.node("Erf", [scope.node("Mul", [x, _number(scope, name, 0.7071067812)], name)], name)
    half = scope.node("Mul", [x, _number(scope, name, 0.5)], name)
    gate = scope.node("Add", [curve, _number(scope, name, 1)], name)
    scope.result(op.outputs[0], "Mul", [half, gate], real=True, nchw=nchw)


@handles("RSQRT")
def rsqrt(scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(op.inputs[0])
    root = scope.node("Sqrt", [scope.real(op.inputs[0], nchw)], scope.name(op.outputs[0]))
    scope.result(op.outputs[0], "Reciprocal", [root], real=True, nchw=nchw)


@handles("SQUARE")
def square(scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(op.inputs[0])
    x = scope.real(op.inputs[0], nchw)
    scope.result(op.outputs[0], "Mul", [x, x], real=True, nchw=nchw)


@handles("SQUARED_DIFFERENCE")
def squared_difference(scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(*op.inputs)
    values = [scope.real(index, nchw) for index in op.inputs]
    difference = scope.node("Sub", values, scope.name(op.outputs[0]))
    scope.result(op.outputs[0], "Mul", [difference, difference], real=True, nchw=nchw)


@handles("ADD_N")
def add_n(scope: Scope, op: Operator) -> None:
    scope.result(op.outputs[0], "Sum", [scope.real(index) for index in op.inputs], real=True)


@handles("FLOOR_DIV")
def floor_div(scope: Scope, op: Operator) -> None:
    """ONNX divides integers towards zero."""
    x, y = (scope.real(index) for index in op.inputs)
    name = scope.name(op.outputs[0])
    if _floats(scope, op):
        scope.result(op.outputs[0], "Floor", [scope.node("Div", [x, y], name)], real=True)
        return
    whole = scope.node("Sub", [x, scope.node("Mod", [x, y], name)], name)
    scope.result(op.outputs[0], "Div", [whole, y], real=True)


@handles("FLOOR_MOD")
def floor_mod(scope: Scope, op: Operator) -> None:
    """The rest has the sign of the divisor; ONNX has that for integers alone."""
    x, y = (scope.real(index) for index in op.inputs)
    name = scope.name(op.outputs[0])
    if not _floats(scope, op):
        scope.result(op.outputs[0], "Mod", [x, y], real=True)
        return
    zero = _number(scope, name, 0)
    rest = scope.node("Mod", [x, y], name, fmod=1)
    signs = [scope.node("Less", [each, zero], name) for each in (rest, y)]
    other = scope.node(
        "And",
        [scope.node("Xor", signs, name), scope.node("Not", [scope.node("Equal", [rest, zero], name)], name)],
        name,
    )
    scope.result(op.outputs[0], "Where", [other, scope.node("Add", [rest, y], name), rest], real=True)


@handles("CAST")
def cast(scope: Scope, op: Operator) -> None:
    """The stored numbers, whatever they stand for. A fraction is cut off."""
    source, target = scope.tensor(op.inputs[0]).dtype, scope.tensor(op.outputs[0]).dtype
    nchw = scope.prefers_nchw(op.inputs[0])
    if source == "int4":
        raise op.refuse("of int4 is not handled")
    scope.result(
        op.outputs[0],
        "Cast" if source != target else "Identity",
        [scope.stored(op.inputs[0], nchw)],
        nchw=nchw,
        **_to(source, target),
    )


def _to(source: str, target: str) -> dict[str, Any]:
    return {"to": element(target)} if source != target else {}


def _floats(scope: Scope, op: Operator) -> bool:
    return scope.tensor(op.inputs[0]).dtype.startswith("float") or scope.quantisation(op.inputs[0]) is not None


def _number(scope: Scope, name: str, value: float) -> str:
    return scope.const(value, f"{name}__{value}", "float32")
