"""The grids of quantisers, in wires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from da4ml.trace import FixedVariable

from .graph import Graph, Node
from .hardware import TABLE_BITS, Array, Constant, NotQuantised, Pending, Port, Tap, Values


def quantize(graph: Graph, node: Node) -> Any:
    """A tensor onto the grid of its quantiser. That of an input is rounded outside: the circuit takes integers."""
    value, scale, zero, (low, high) = node[0], *graph.grid(node)
    if isinstance(value, Constant):
        return Constant(np.clip(np.rint(value.value / scale), low, high), np.full(value.levels.shape, scale))
    if isinstance(value, Pending):
        return _tabulated(graph, node, value, scale, (low, high))
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        if isinstance(wire, Tap):
            wires[place] = _tapped(graph, wire, scale, zero, low, high)
        else:
            wires[place] = graph.circuit.round(wire, float(value.scale[place]) / scale, low, high)
    return Values(wires, np.full(value.shape, scale))


def _tabulated(graph: Graph, node: Node, pending: Pending, scale: float, ends: tuple[int, int]) -> Values:
    function, value = pending.function, pending.value
    if function is None:
        raise node.refused(f"{pending.op} anywhere but at an output")
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        own = float(value.scale[place])

        def levels(array: Array, own: float = own) -> Array:
            return np.clip(np.rint(function(array * own) / scale), *ends)

        if not isinstance(wire, FixedVariable):
            wires[place] = float(levels(np.array([wire]))[0])
            continue
        if sum(wire.kif) > TABLE_BITS:
            raise node.refused(f"{pending.op} of {sum(wire.kif)} bits, for which a table would be too large,")
        wires[place] = graph.circuit.table(wire, levels)
    return Values(wires, np.full(value.shape, scale))


def _tapped(graph: Graph, tap: Tap, scale: float, zero: int, low: int, high: int) -> FixedVariable:
    port: Port = tap.port
    if port.scale is None:
        graph.circuit.connect(port, scale, zero, low, high)
    if (port.scale, port.low, port.high) != (scale, low, high):
        raise NotQuantised(f"the input {port.name} is quantised in two ways")
    return port.wires[tap.index]


def dequantize(graph: Graph, node: Node) -> Any:
    """Of constants; what a quantiser made has its scale with it."""
    value = node[0]
    if isinstance(value, Values):
        return value
    scale, zero = graph.scales(node, value.levels.shape)
    return graph.weights(Constant(value.levels - zero, scale), node)


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "DequantizeLinear": dequantize,
    "QuantizeLinear": quantize,
}
