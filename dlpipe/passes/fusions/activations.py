"""Activations, however they are written out."""

import math

import numpy as np
import onnx_ir as ir

from .fusion import Fusion, Group
from .match import FLOATS, maker, number, rank, same, sides, stored
from .nonlinear import Formula, equal, formula, source
from .polynomial import Reading

_HARD_SWISH, _PRELU_BROADCASTS, _MISH = 14, 9, 18  # the opsets that brought them
_CLIP_WITH_INPUTS = 11
_MAX_SLOPES = 1 << 16


class FuseActivations(Fusion):
    """Recognise activations, so that the fusion of convolution and activation, which each backend has of its own,
    finds them. (Standard ONNX has no operator for the two together.)

        x -> Add(3) -> Clip(0, 6) -> Mul(x) -> Div(6)         HardSwish       (opset 14)
        x -> Mul(a) -> Add(b) -> Clip(0, 1)                   HardSigmoid
        x -> Softplus -> Tanh -> Mul(x)                       Mish            (opset 18)
        x -> Relu -> Min(6)                                   Clip(0, 6)
        Max(x, a*x), Where(x > 0, x, a*x), PRelu(x, a)        LeakyRelu(a)
        Relu(x) - a * Relu(-x), a per channel                 PRelu(x, a)     (opset 9)
        (1 + a)/2 * x + (1 - a)/2 * |x|                       LeakyRelu(a)

    In whatever order the arithmetic is written. Sigmoid -> Mul stays: ONNX Runtime has a kernel for the two, and none
    for Swish. Requires no more than the opset that is named. Ensures that there are
    never more nodes. Exact up to rounding, and to the digits with which the constants were written (a relative 1e-5).
    Sources: Howard et al. 2019 (HardSwish), Misra 2019 (Mish), He et al. 2015 (PRelu), and the operators' definitions.
    """

    def find(self, last: ir.Node, opset: int) -> Group | None:
        return _hard(last, opset) or _mish(last, opset) or _capped(last, opset) or _leaky(last, opset)


def _hard(last: ir.Node, opset: int) -> Group | None:
    """HardSwish and HardSigmoid: arithmetic around a Clip or a HardSigmoid."""
    found = _clip_alone(last) if last.op_type == "Clip" else formula(last, "Clip", "HardSigmoid")
    line = _line(found, opset) if found is not None else None
    if found is None or line is None:
        return None
    alpha, beta, top = line  # inner(x) = max(0, min(top, alpha * x + beta))
    dtype = found.x.dtype or ir.DataType.FLOAT
    swish, sigmoid = found.outer.get((1, 1), 0.0), found.outer.get((0, 1), 0.0)
    factor = swish or sigmoid
    if factor <= 0 or not same(factor * top, 1.0, dtype) or not found.is_({(1 if swish else 0, 1): factor}):
        return None
    alpha, beta = alpha * factor, beta * factor
    if sigmoid and alpha > 0:
        return Group("HardSigmoid", [found.x], found.nodes, {"alpha": alpha, "beta": beta})
    if swish and opset >= _HARD_SWISH and same(alpha, 1 / 6, dtype) and same(beta, 0.5, dtype):
        return Group("HardSwish", [found.x], found.nodes)
    return None


def _clip_alone(last: ir.Node) -> Formula | None:
    """A Clip that nothing follows, over arithmetic on one value."""
    x = source(last.inputs[0])
    if x is None or x is last.inputs[0] or x.dtype not in FLOATS:
        return None
    reading = Reading([x])
    read = reading.of(last.inputs[0])
    return None if read is None else Formula(x, last, {(0, 1): 1.0}, read, [last, *reading.nodes])


def _line(found: Formula, opset: int) -> tuple[float, float, float] | None:
    """(alpha, beta, top) of max(0, min(top, alpha * x + beta))."""
    slope, shift = found.argument.get((1,), 0.0), found.argument.get((0,), 0.0)
    if slope == 0.0 or not equal(found.argument, {(1,): slope, (0,): shift}, found.x.dtype):
        return None
    if found.inner.op_type == "HardSigmoid":
        alpha = found.inner.attributes.get_float("alpha", 0.2)
        return alpha * slope, alpha * shift + found.inner.attributes.get_float("beta", 0.5), 1.0
    low, high = _bounds(found.inner, opset)
    return (slope, shift, high) if low == 0.0 and high is not None and 0.0 < high < math.inf else None


def _bounds(clip: ir.Node, opset: int) -> tuple[float | None, float | None]:
    if opset < _CLIP_WITH_INPUTS:
        return clip.attributes.get_float("min", -math.inf), clip.attributes.get_float("max", math.inf)
    given = [*clip.inputs[1:3], None, None]
    return number(given[0]), number(given[1])


def _mish(last: ir.Node, opset: int) -> Group | None:
    for x, gate in sides(last) if opset >= _MISH and last.op_type == "Mul" else ():
        tanh = maker(gate, "Tanh")
        softplus = maker(tanh.inputs[0], "Softplus") if tanh is not None else None
        if tanh is not None and softplus is not None and x is not None and softplus.inputs[0] is x:
            return Group("Mish", [x], [last, tanh, softplus])
    return None


def _capped(last: ir.Node, opset: int) -> Group | None:
    """Min(Relu(x), c)."""
    for value, cap in sides(last) if last.op_type == "Min" and len(last.inputs) == 2 else ():
        relu, top = maker(value, "Relu"), stored(cap, 1)
        x = relu.inputs[0] if relu is not None else None
        if relu is None or x is None or x.dtype is None or top is None or top.size != 1:
            continue
        if top.ndim > (rank(x) or 0) or not top.reshape(-1)[0] >= 0:
            continue
        if opset < _CLIP_WITH_INPUTS:
            return Group("Clip", [x], [last, relu], {"min": 0.0, "max": float(top.reshape(-1)[0])})
        return Group("Clip", [x, np.zeros((), top.dtype), top.reshape(())], [last, relu])
    return None


def _leaky(last: ir.Node, opset: int) -> Group | None:
    """LeakyRelu and PRelu."""
    if last.op_type == "PRelu":
        slope, x = stored(last.inputs[1], 1), last.inputs[0]
        fits = slope is not None and slope.size == 1 and slope.ndim <= (rank(x) or 0)
        return _leaky_relu(x, float(slope.reshape(-1)[0]), [last]) if fits else None
    if last.op_type == "Max" and len(last.inputs) == 2:
        for x, scaled in sides(last):
            reading = Reading([x]) if x is not None else None
            alpha = _factor(reading, scaled)
            if reading is not None and alpha is not None and 0.0 <= alpha < 1.0:
                return _leaky_relu(x, alpha, [last, *reading.nodes])
    if last.op_type == "Where":
        return _chosen(last)
    return _around_abs(last) or (_two_halves(last, opset) if last.op_type in ("Add", "Sub") else None)


def _around_abs(last: ir.Node) -> Group | None:
    """(1 + a)/2 * x + (1 - a)/2 * |x|."""
    found = formula(last, "Abs")
    if found is None or not found.argument_is({(1,): 1.0}):
        return None
    straight, bent = (float(found.outer.get(powers, 0.0)) for powers in ((1, 0), (0, 1)))
    fits = bent > 0 and straight != 0 and same(straight + bent, 1.0, found.x.dtype or ir.DataType.FLOAT)
    if not fits or not found.is_({(1, 0): straight, (0, 1): bent}):
        return None
    return _leaky_relu(found.x, straight - bent, found.nodes)


def _chosen(last: ir.Node) -> Group | None:
    """Where(x > 0, x, a*x)."""
    x, compare = last.inputs[1], maker(last.inputs[0], "Greater", "GreaterOrEqual")
    reading = Reading([x]) if x is not None else None
    alpha = _factor(reading, last.inputs[2])
    if compare is None or reading is None or alpha is None:
        return None
    zero = stored(compare.inputs[1], 1)
    fits = zero is not None and zero.size == 1 and not zero.any() and zero.ndim <= (rank(x) or 0)
    return _leaky_relu(x, alpha, [last, compare, *reading.nodes]) if compare.inputs[0] is x and fits else None


def _factor(reading: Reading | None, value: ir.Value | None) -> float | None:
    """a, where the value is a*x, computed by at least one node."""
    read = reading.of(value) if reading is not None else None
    return read[(1,)] if read is not None and set(read) == {(1,)} and reading and reading.nodes else None


def _two_halves(last: ir.Node, opset: int) -> Group | None:
    """Relu(x) +- a * Relu(-x)."""
    first, second = last.inputs
    for upper, lower in sides(last) if last.op_type == "Add" else [(first, second)]:
        relu, scale = maker(upper, "Relu"), maker(lower, "Mul")
        for slope, below in sides(scale) if relu is not None and scale is not None else ():
            other = maker(below, "Relu")
            negated = maker(other.inputs[0], "Neg") if other is not None else None
            array, x = stored(slope, _MAX_SLOPES), relu.inputs[0] if relu is not None else None
            if array is None or negated is None or negated.inputs[0] is not x or x is None:
                continue
            nodes = [node for node in (last, relu, scale, other, negated) if node is not None]
            array = array if last.op_type == "Sub" else -array
            if array.size == 1 and array.ndim <= (rank(x) or 0):
                return _leaky_relu(x, float(array.reshape(-1)[0]), nodes)
            if opset >= _PRELU_BROADCASTS and _broadcasts_into(array, x):
                return Group("PRelu", [x, np.ascontiguousarray(array)], nodes)
    return None


def _broadcasts_into(array: np.ndarray, x: ir.Value) -> bool:
    """Whether the result has x's shape."""
    if x.shape is None or array.ndim > len(x.shape):
        return False
    return all(size in (1, own) for size, own in zip(array.shape[::-1], list(x.shape)[::-1], strict=False))


def _leaky_relu(x: ir.Value | None, alpha: float, nodes: list[ir.Node]) -> Group | None:
    return None if x is None else Group("LeakyRelu", [x], nodes, {"alpha": alpha})
