"""Element by element, in wires: sums, products with constants, limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from da4ml.trace import FixedVariable

from .graph import Graph, Node, computed, fits
from .hardware import Array, Constant, Values

_BEYOND = 1e-9  # added to a bound that is a whole number, so that rounding it does not lose it


def shifted(sums: Values, offset: Array) -> Values:
    """A constant added, rounded to the step of what it is added to: of sums of products, a fine one."""
    wires = np.empty(sums.shape, object)
    for place, wire in np.ndenumerate(sums.wires):
        step = float(wire.step) if isinstance(wire, FixedVariable) else 1.0
        level = np.broadcast_to(offset, sums.shape)[place] / sums.scale[place]
        wires[place] = wire + float(np.rint(level / step) * step)
    return Values(wires, sums.scale)


def relu(graph: Graph, node: Node) -> Values:
    del graph
    value = computed(node, node[0])
    return Values(_each(value.wires, _positive), value.scale)


def _positive(wire: Any) -> Any:
    return wire.relu() if isinstance(wire, FixedVariable) else max(0.0, wire)


def clip(graph: Graph, node: Node) -> Values:
    del graph
    value = computed(node, node[0])
    low, high = (None if node.optional(i) is None else float(node[i].value) for i in (1, 2))
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        step = float(wire.step) if isinstance(wire, FixedVariable) else 1.0
        scale = float(value.scale[place]) * step
        if low is not None:
            wire = _positive(wire) if low == 0 else extreme(wire, math.ceil(low / scale - _BEYOND) * step, max)
        if high is not None:
            wire = extreme(wire, math.floor(high / scale + _BEYOND) * step, min)
        wires[place] = wire
    return Values(wires, value.scale)


def extreme(one: Any, other: Any, choose: Callable[..., Any]) -> Any:
    """max or min of wires and floats."""
    if not isinstance(one, FixedVariable):
        one, other = other, one
    if not isinstance(one, FixedVariable):
        return choose(one, other)
    return one.max_of(other) if choose is max else one.min_of(other)


def add(graph: Graph, node: Node) -> Any:
    """Of a tensor and a constant, or of two tensors: the one with the coarser scale gets that of the other."""
    return _sum(graph, node, 1.0)


def subtract(graph: Graph, node: Node) -> Any:
    return _sum(graph, node, -1.0)


def _sum(graph: Graph, node: Node, sign: float) -> Any:
    left, right = node[0], node[1]
    if isinstance(left, Constant) and isinstance(right, Constant):
        value = left.value + sign * right.value
        return Constant(value, np.ones(value.shape))
    if isinstance(right, Constant):
        return shifted(
            _broadcast(computed(node, left), np.broadcast_shapes(left.shape, right.levels.shape)), sign * right.value
        )
    if isinstance(left, Constant):
        negative = _scaled(computed(node, right), np.array(sign))
        return shifted(_broadcast(negative, np.broadcast_shapes(left.levels.shape, right.shape)), left.value)
    shape = np.broadcast_shapes(left.shape, right.shape)
    one, other = (
        _broadcast(computed(node, each), shape) for each in (left, _scaled(computed(node, right), np.array(sign)))
    )
    wires, scale = np.empty(shape, object), np.minimum(one.scale, other.scale)
    for place in np.ndindex(*shape):
        wires[place] = _aligned(graph, one, scale, place) + _aligned(graph, other, scale, place)
    return Values(wires, scale)


def _aligned(graph: Graph, value: Values, scale: Array, place: tuple[int, ...]) -> Any:
    return graph.circuit.rescaled(value.wires[place], float(value.scale[place] / scale[place]))


def multiply(graph: Graph, node: Node) -> Values:
    """By a constant: its size goes into the scale, its sign into the wires."""
    del graph
    left, right = (node[1], node[0]) if isinstance(node[0], Constant) else (node[0], node[1])
    factor = fits(node, right, Constant, "a product of two computed tensors")
    return _scaled(computed(node, left), factor.value)


def divide(graph: Graph, node: Node) -> Values:
    del graph
    factor = fits(node, node[1], Constant, "a quotient of two computed tensors")
    return _scaled(computed(node, node[0]), 1.0 / factor.value)


def _scaled(value: Values, factor: Array) -> Values:
    value = _broadcast(value, np.broadcast_shapes(value.shape, factor.shape))
    factor = np.broadcast_to(factor, value.shape)
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        wires[place] = 0.0 if factor[place] == 0 else wire if factor[place] > 0 else -wire
    return Values(wires, value.scale * np.where(factor == 0, 1.0, np.abs(factor)))


def _broadcast(value: Values, shape: tuple[int, ...]) -> Values:
    return Values(np.broadcast_to(value.wires, shape), np.broadcast_to(value.scale, shape))


def _each(wires: Array, function: Callable[[Any], Any]) -> Array:
    made = np.empty(wires.shape, object)
    for place, wire in np.ndenumerate(wires):
        made[place] = function(wire)
    return made


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "Add": add,
    "Clip": clip,
    "Div": divide,
    "Mul": multiply,
    "Relu": relu,
    "Sub": subtract,
}
