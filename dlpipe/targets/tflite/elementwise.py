"""Operators on each element alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Quant, Tensor
from .handlers import handles
from .reading import Node
from .scope import ACTIVATIONS, Order, Scope, Value, plain

_UNARY = {
    "Relu": "RELU", "Sigmoid": "LOGISTIC", "Tanh": "TANH", "Exp": "EXP", "Log": "LOG", "Sqrt": "SQRT", "Neg": "NEG",
    "Abs": "ABS", "Floor": "FLOOR", "Ceil": "CEIL", "Round": "ROUND", "Sin": "SIN", "Cos": "COS", "Sign": "SIGN",
    "Not": "LOGICAL_NOT", "HardSwish": "HARD_SWISH",
}  # fmt: skip
_BINARY = {
    "Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV", "Pow": "POW", "And": "LOGICAL_AND", "Or": "LOGICAL_OR",
    "Equal": "EQUAL", "Less": "LESS", "LessOrEqual": "LESS_EQUAL", "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL",
}  # fmt: skip
_INTEGER = {"Add", "Sub", "Mul"}  # that have 8-bit kernels with any scales
_FUSING = {"Add", "Sub", "Mul", "Div"}
# What the 8-bit kernels of these give has one scale, whatever comes in.
FIXED = {"Sigmoid": Quant.one(1 / 256, -128), "Tanh": Quant.one(1 / 128, 0)}


def spread(s: Scope, values: Sequence[Value], rank: int, name: str) -> tuple[list[Tensor], Order]:
    """Tensors that TFLite broadcasts against each other as ONNX does the values, and the order of their axes."""
    orders = [value.order for value in values if len(value.order) == rank and value.tensor.data is None]
    order = next((each for each in orders if each != plain(rank)), plain(rank))
    tensors = []
    for value in values:
        if value.tensor.data is not None and value.tensor.data.size == 1:
            tensors.append(s.reshaped(value.tensor, (), value.tensor.name))
            continue
        missing = rank - len(value.order)
        if missing:
            tensor = s.plainly(value)
            value = Value(s.reshaped(tensor, (1,) * missing + tensor.shape, name + "/spread"), plain(rank))
        tensors.append(s.laid(value, order))
    return tensors, order


def arranged(shape: Sequence[int], order: Order) -> list[int]:
    """The shape of the tensor that holds a value of this shape in this order."""
    found = [0] * len(order)
    for axis, place in enumerate(order):
        found[place] = shape[axis]
    return found


@handles(*_BINARY)
def _binary(s: Scope, node: Node) -> None:
    tail = s.tail(node, fused=node.op in _FUSING and s.dtype(node.outputs[0]) == "float32")
    values = [s.value(name) for name in node.inputs]
    integers = tail.quant is not None and node.op in _INTEGER and all(value.is_int8 for value in values)
    if not integers:
        tail = s.unrounded(tail)
        values = [s.real(name) for name in node.inputs]
    if node.op == "Div" and s.dtype(node.outputs[0]) != "float32":
        raise node.refuse("divides integers: ONNX rounds towards zero, TFLite's kernels downwards")
    _emit_binary(
        s,
        node,
        _BINARY[node.op],
        values,
        tail.activation,
        tail.quant,
        lambda made, order: s.bind_tail(tail, made, order),
    )


def _emit_binary(
    s: Scope, node: Node, kind: str, values: Sequence[Value], activation: str, quant: Quant | None, bind: Any
) -> None:
    name, shape = node.outputs[0], s.shape(node.outputs[0])
    tensors, order = spread(s, values, len(shape), name)
    dtype = "int8" if quant is not None else s.dtype(name)
    made = s.emit(
        kind, tensors, arranged(shape, order), dtype, name=name, quant=quant,
        fusedActivationFunction=ACTIVATIONS[activation],
    )  # fmt: skip
    bind(made, order)


@handles("Xor")
def _xor(s: Scope, node: Node) -> None:
    values = [s.real(name) for name in node.inputs]
    _emit_binary(s, node, "NOT_EQUAL", values, "NONE", None, lambda made, order: s.bind(node.outputs[0], made, order))


@handles("Mod")
def _mod(s: Scope, node: Node) -> None:
    if node.get("fmod", 0) or s.dtype(node.outputs[0]) not in ("int32", "int64"):
        raise node.refuse("only the remainder of integers, with the sign of the divisor, is FLOOR_MOD")
    values = [s.real(name) for name in node.inputs]
    _emit_binary(s, node, "FLOOR_MOD", values, "NONE", None, lambda made, order: s.bind(node.outputs[0], made, order))


@handles("Min", "Max", "Sum", "Mean")
def _many(s: Scope, node: Node) -> None:
    kind = {"Min": "MINIMUM", "Max": "MAXIMUM"}.get(node.op, "ADD")
    values = [s.real(name) for name in node.inputs]
    name, shape = node.outputs[0], s.shape(node.outputs[0])
    tensors, order = spread(s, values, len(shape), name)
    made = tensors[0]
    if len(tensors) == 1 and made.shape == ():
        raise node.refuse("is of a single stored number")
    for other in tensors[1:]:
        dims = np.broadcast_shapes(made.shape, other.shape)
        made = s.emit(kind, [made, other], dims, s.dtype(name), name=name)
    if node.op == "Mean":
        made = s.emit("MUL", [made, s.number(1 / len(tensors))], made.shape, s.dtype(name), name=name)
    s.bind(name, made, order)


@handles("PRelu")
def _prelu(s: Scope, node: Node) -> None:
    values = [s.real(name) for name in node.inputs]
    shape = s.shape(node.outputs[0])
    slope = s.constant(node.inputs[1])
    if slope is not None and slope.size == 1:
        _emit_unary(s, node, "LEAKY_RELU", s.real(node.inputs[0]), alpha=float(slope.reshape(())))
        return
    tensors, order = spread(s, values, len(shape), node.outputs[0])
    made = s.emit("PRELU", tensors, arranged(shape, order), "float32", name=node.outputs[0])
    s.bind(node.outputs[0], made, order)


def _emit_unary(s: Scope, node: Node, kind: str, value: Value, **options: Any) -> None:
    s.alike(node, value, kind, **options)


@handles(*_UNARY)
def _unary(s: Scope, node: Node) -> None:
    given = s.value(node.inputs[0])
    if given.is_int8 and node.op == "Relu":
        _levels(s, node, "RELU", given)
    elif given.is_int8 and node.op in FIXED and (s.integer or s.tail(node, fused=False).quant is not None):
        fixed(s, node, _UNARY[node.op], given.tensor, given.order, FIXED[node.op])
    else:
        _emit_unary(s, node, _UNARY[node.op], s.real(node.inputs[0]))


def fixed(s: Scope, node: Node, kind: str, tensor: Tensor, order: Order, quant: Quant, **options: Any) -> None:
    """An 8-bit kernel whose output has a scale of its own; what is behind it may want another."""
    made = s.emit(kind, [tensor], tensor.shape, "int8", name=node.outputs[0], quant=quant, **options)
    tail = s.tail(node, fused=False)
    if tail.quant is not None:
        made = s.rounded(made, tail.quant)
    s.bind_tail(tail, made, order)


def _levels(s: Scope, node: Node, kind: str, given: Value, **options: Any) -> None:
    """An 8-bit kernel whose output may have any scale: the one behind it, else that of its input."""
    tail = s.tail(node, fused=False)
    quant = tail.quant or given.tensor.quant
    made = s.emit(kind, [given.tensor], given.tensor.shape, "int8", name=node.outputs[0], quant=quant, **options)
    s.bind_tail(tail, made, given.order)


@handles("LeakyRelu")
def _leaky(s: Scope, node: Node) -> None:
    given, alpha = s.value(node.inputs[0]), float(node.get("alpha", 0.01))
    if given.is_int8 and s.tail(node, fused=False).quant is not None:
        _levels(s, node, "LEAKY_RELU", given, alpha=alpha)
    else:
        _emit_unary(s, node, "LEAKY_RELU", s.real(node.inputs[0]), alpha=alpha)


@handles("Gelu")
def _gelu(s: Scope, node: Node) -> None:
    _emit_unary(s, node, "GELU", s.real(node.inputs[0]), approximate=node.get("approximate", "none") == "tanh")


@handles("Elu")
def _elu(s: Scope, node: Node) -> None:
    if float(node.get("alpha", 1.0)) != 1.0:
        raise node.refuse("has an alpha other than 1, which TFLite's ELU has not")
    _emit_unary(s, node, "ELU", s.real(node.inputs[0]))


@handles("Clip")
def _clip(s: Scope, node: Node) -> None:
    limits, given = s.clip(node), s.value(node.inputs[0])
    if given.is_int8 and limits in ((0.0, np.inf), (0.0, 6.0)):
        _levels(s, node, "RELU" if limits[1] == np.inf else "RELU6", given)
        return
    value, name = s.real(node.inputs[0]), node.outputs[0]
    fused = {(0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
    if limits in fused:
        _emit_unary(s, node, fused[limits], value)
        return
    made = value.tensor
    for kind, index, key in (("MAXIMUM", 1, "min"), ("MINIMUM", 2, "max")):
        given_limit = index < len(node.inputs) and node.inputs[index] != ""
        if given_limit:
            other = s.real(node.inputs[index]).tensor
        elif key in node.attributes:
            other = s.number(float(node.get(key)))
        else:
            continue
        made = s.emit(kind, [made, other], made.shape, s.dtype(name), name=name)
    s.bind(name, made, value.order)


class Sum:
    """Writes a chain of operators on values of one shape and order."""

    def __init__(self, s: Scope, node: Node, value: Value) -> None:
        self.s, self.value, self.name, self.node = s, value, node.outputs[0], node

    def op(self, kind: str, *operands: Tensor | float, **options: Any) -> Tensor:
        tensors = [each if isinstance(each, Tensor) else self.s.number(each) for each in operands]
        return self.s.emit(kind, tensors, self.value.tensor.shape, "float32", name=self.name, **options)

    def bind(self, made: Tensor) -> None:
        self.s.bind(self.name, made, self.value.order)


@handles("HardSigmoid")
def _hard_sigmoid(s: Scope, node: Node) -> None:
    to = Sum(s, node, s.real(node.inputs[0]))
    line = to.op("MUL", to.value.tensor, float(node.get("alpha", 0.2)))
    line = to.op("ADD", line, float(node.get("beta", 0.5)))
    to.bind(to.op("MINIMUM", to.op("MAXIMUM", line, 0.0), 1.0))


@handles("Swish", "Mish", "Softplus", "Softsign", "Reciprocal", "Selu", "Celu")
def _composed(s: Scope, node: Node) -> None:
    to = Sum(s, node, s.real(node.inputs[0]))
    x = to.value.tensor
    match node.op:
        case "Swish":
            alpha = float(node.get("alpha", 1.0))
            made = to.op("MUL", x, to.op("LOGISTIC", x if alpha == 1.0 else to.op("MUL", x, alpha)))
        case "Mish":
            made = to.op("MUL", x, to.op("TANH", _softplus(to, x)))
        case "Softplus":
            made = _softplus(to, x)
        case "Softsign":
            made = to.op("DIV", x, to.op("ADD", to.op("ABS", x), 1.0))
        case "Reciprocal":
            made = to.op("DIV", 1.0, x)
        case "Selu":
            alpha, gamma = float(node.get("alpha", 1.67326319)), float(node.get("gamma", 1.05070102))
            low = to.op("MUL", to.op("ELU", to.op("MINIMUM", x, 0.0)), alpha)
            made = to.op("MUL", to.op("ADD", to.op("RELU", x), low), gamma)
        case _:
            alpha = float(node.get("alpha", 1.0))
            low = to.op("MUL", to.op("ELU", to.op("MINIMUM", to.op("MUL", x, 1 / alpha), 0.0)), alpha)
            made = to.op("ADD", to.op("RELU", x), low)
    to.bind(made)


def _softplus(to: Sum, x: Tensor) -> Tensor:
    """max(x, 0) + log(1 + exp(-|x|)): no number grows too large."""
    small = to.op("EXP", to.op("NEG", to.op("ABS", x)))
    return to.op("ADD", to.op("RELU", x), to.op("LOG", to.op("ADD", small, 1.0)))


# Erf as 1 - t * exp(-x*x + P(t)), t = 1 / (1 + |x| / 2): Chebyshev's fit, whose relative error is below 1.2e-7.
# Coefficients: W. H. Press et al., Numerical Recipes, "Incomplete gamma function, error function".
_ERF = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
)  # fmt: skip


@handles("Erf")
def _erf(s: Scope, node: Node) -> None:
    to = Sum(s, node, s.real(node.inputs[0]))
    x = to.value.tensor
    size = to.op("ABS", x)
    t = to.op("DIV", 1.0, to.op("ADD", to.op("MUL", size, 0.5), 1.0))
    made = to.op("MUL", t, _ERF[-1])
    for each in _ERF[-2:0:-1]:
        made = to.op("MUL", to.op("ADD", made, each), t)
    power = to.op("SUB", to.op("ADD", made, _ERF[0]), to.op("MUL", x, x))
    upper = to.op("SUB", 1.0, to.op("MUL", t, to.op("EXP", power)))
    to.bind(to.op("MUL", upper, to.op("SIGN", x)))


@handles("Cast")
def _cast(s: Scope, node: Node) -> None:
    value, name = s.real(node.inputs[0]), node.outputs[0]
    source, dtype = value.tensor.dtype, s.dtype(name)
    if source == dtype:
        s.bind(name, value.tensor, value.order)
        return
    if dtype == "bool":
        zero = s.store("zero", np.zeros((), source))
        s.bind(name, s.emit("NOT_EQUAL", [value.tensor, zero], value.tensor.shape, "bool", name=name), value.order)
        return
    s.alike(node, value, "CAST")


@handles("Where")
def _where(s: Scope, node: Node) -> None:
    values = [s.real(name) for name in node.inputs]
    shape, name = s.shape(node.outputs[0]), node.outputs[0]
    tensors, order = spread(s, values, len(shape), name)
    s.bind(name, s.emit("SELECT_V2", tensors, arranged(shape, order), s.dtype(name), name=name), order)


@handles("Identity", "Dropout")
def _identity(s: Scope, node: Node) -> None:
    if node.op == "Dropout" and len(node.outputs) > 1 and node.outputs[1]:
        raise node.refuse("also gives its mask")
    if node.inputs[0] in s.weights:
        s.weights[node.outputs[0]] = s.weights[node.inputs[0]]
        return
    s.values[node.outputs[0]] = s.value(node.inputs[0])
