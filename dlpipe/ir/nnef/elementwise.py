"""Operators on every element alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from .table import writes
from .text import Text

_UNARY = {
    "Exp": "exp", "Log": "log", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Sinh": "sinh", "Cosh": "cosh",
    "Tanh": "tanh", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Asinh": "asinh", "Acosh": "acosh",
    "Atanh": "atanh", "Abs": "abs", "Sign": "sign", "Reciprocal": "rcp", "Neg": "neg", "Identity": "copy",
    "Floor": "floor", "Ceil": "ceil", "Sqrt": "sqrt", "Relu": "relu", "Sigmoid": "sigmoid", "Softplus": "softplus",
    "Not": "not",
}  # fmt: skip
_BINARY = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Less": "lt", "Greater": "gt",
    "LessOrEqual": "le", "GreaterOrEqual": "ge", "Equal": "eq", "And": "and", "Or": "or",
}  # fmt: skip
_MANY = {"Sum": "add", "Min": "min", "Max": "max", "Mean": "add"}
_INTEGER, _SCALAR, _LOGICAL = "integer", "scalar", "logical"


@writes(*_UNARY)
def _unary(text: Text) -> None:
    text.attributes()
    text.call(_UNARY[text.node.op_type], text.tensor(text.input(0)), to=text.node.output[0])


@writes("Dropout")
def _dropout(text: Text) -> None:
    text.attributes(ratio=0.5, seed=None, is_test=1)
    if text.more_outputs() or text.number(2, 0.0):
        text.fail("a dropout in training, or its mask")
    text.call("copy", text.tensor(text.input(0)), to=text.node.output[0])


def operands(text: Text) -> list[Any]:
    rank = text.rank(text.node.output[0])
    return [text.operand(name, rank) for name in text.node.input]


@writes(*_BINARY)
def _binary(text: Text) -> None:
    text.attributes()
    text.call(_BINARY[text.node.op_type], *operands(text), to=text.node.output[0])


@writes(*_MANY)
def _many(text: Text) -> None:
    text.attributes()
    op, values = _MANY[text.node.op_type], operands(text)
    mean = text.node.op_type == "Mean"
    total = values[0]
    for index, each in enumerate(values[1:], 1):
        last = index == len(values) - 1 and not mean
        total = text.call(op, total, each, to=text.node.output[0] if last else None)
    if mean:
        text.call("div", total, float(len(values)), to=text.node.output[0])
    elif len(values) == 1:
        text.call("copy", total, to=text.node.output[0])


@writes("Xor")
def _xor(text: Text) -> None:
    one, two = operands(text)
    either, both = text.call("or", one, two), text.call("and", one, two)
    text.call("and", either, text.call("not", both), to=text.node.output[0])


@writes("Where")
def _where(text: Text) -> None:
    text.call("select", *operands(text), to=text.node.output[0])


@writes("Cast")
def _cast(text: Text) -> None:
    element = text.attributes(to=None, saturate=1)["to"]
    kind = text.kind(onnx.helper.tensor_dtype_to_np_dtype(element), text.node.output[0])
    source = text.kind(text.model.dtypes[text.input(0)], text.input(0))
    if kind == source:
        text.call("copy", text.tensor(text.input(0)), to=text.node.output[0])
    else:
        text.call("cast", text.tensor(text.input(0)), to=text.node.output[0], dtype=kind)


@writes("Clip")
def _clip(text: Text) -> None:
    given = text.attributes(min=None, max=None)
    low = given["min"] if given["min"] is not None else text.number(1)
    high = given["max"] if given["max"] is not None else text.number(2)
    value, to = text.tensor(text.input(0)), text.node.output[0]
    low, high = (None if each is None or abs(each) > 3e38 else float(each) for each in (low, high))
    if low is not None and high is not None:
        text.call("clamp", value, low, high, to=to)
    elif low is not None:
        text.call("max", value, low, to=to)
    elif high is not None:
        text.call("min", value, high, to=to)
    else:
        text.call("copy", value, to=to)


@writes("LeakyRelu", "Elu", "ThresholdedRelu")
def _sloped(text: Text) -> None:
    op, value = text.node.op_type, text.tensor(text.input(0))
    alpha = float(text.attributes(alpha=0.01 if op == "LeakyRelu" else 1.0)["alpha"])
    if op == "ThresholdedRelu":
        text.call("select", text.call("gt", value, alpha), value, 0.0, to=text.node.output[0])
    else:
        text.call("leaky_relu" if op == "LeakyRelu" else "elu", value, alpha=alpha, to=text.node.output[0])


@writes("Selu")
def _selu(text: Text) -> None:
    given = text.attributes(alpha=1.6732631921768188, gamma=1.0507010221481323)
    named: dict[str, Any] = {"alpha": float(given["alpha"]), "lambda": float(given["gamma"])}
    text.call("selu", text.tensor(text.input(0)), to=text.node.output[0], **named)


@writes("PRelu")
def _prelu(text: Text) -> None:
    value, slope = operands(text)
    text.call("prelu", value, slope, to=text.node.output[0])


@writes("HardSigmoid", "HardSwish")
def _hard(text: Text) -> None:
    swish = text.node.op_type == "HardSwish"
    given = {"alpha": 1 / 6, "beta": 0.5} if swish else text.attributes(alpha=0.2, beta=0.5)
    value, to = text.tensor(text.input(0)), text.node.output[0]
    line = text.call("add", text.call("mul", value, float(given["alpha"])), float(given["beta"]))
    gate = text.call("clamp", line, 0.0, 1.0, to=None if swish else to)
    if swish:
        text.call("mul", value, gate, to=to)


@writes("Softsign")
def _softsign(text: Text) -> None:
    value = text.tensor(text.input(0))
    text.call("div", value, text.call("add", text.call("abs", value), 1.0), to=text.node.output[0])


@writes("Erf")
def _erf(text: Text) -> None:
    error_function(text, text.tensor(text.input(0)), text.node.output[0])


@writes("Gelu")
def _gelu(text: Text) -> None:
    value, way = text.tensor(text.input(0)), text.attributes(approximate="none")["approximate"]
    if way == "tanh":
        cube = text.call("mul", text.call("mul", text.call("mul", value, value), value), 0.044715)
        inner = text.call("tanh", text.call("mul", text.call("add", value, cube), float(np.sqrt(2 / np.pi))))
    else:
        inner = error_function(text, text.call("mul", value, float(np.sqrt(0.5))), None)
    half = text.call("mul", value, 0.5)
    text.call("mul", half, text.call("add", inner, 1.0), to=text.node.output[0])


def error_function(text: Text, value: Any, to: str | None) -> Any:
    """NNEF has none: the rational approximation 7.1.26 of Abramowitz and Stegun, to 1.5e-7."""
    size = text.call("abs", value)
    t = text.call("rcp", text.call("add", text.call("mul", size, 0.3275911), 1.0))
    total = text.call("mul", t, 1.061405429)
    for each in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        total = text.call("mul", text.call("add", total, each), t)
    tail = text.call("mul", total, text.call("exp", text.call("neg", text.call("mul", size, size))))
    return text.call("mul", text.call("sign", value), text.call("sub", 1.0, tail), to=to)
