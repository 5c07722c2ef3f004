"""Operators that compute, in wires. What only moves elements is in `moving.py`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from da4ml.trace import FixedVariable

from .graph import Graph, Node, fits
from .hardware import TABLE_BITS, Array, Constant, NotQuantised, Pending, Port, Tap, Values, uniform

_BEYOND = 1e-9  # added to a bound that is a whole number, so that rounding it does not lose it


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


def gemm(graph: Graph, node: Node) -> Any:
    left, right = node[0], node[1]
    if node.attribute("transA", 0):
        left = left.moved(np.transpose)
    matrix = fits(node, right, Constant, "a product of two computed tensors")
    if node.attribute("alpha", 1.0) != 1 or (len(node) > 2 and node.attribute("beta", 1.0) != 1):
        raise node.refused("Gemm with alpha or beta other than 1")
    if node.attribute("transB", 0):
        matrix = Constant(matrix.levels.T, matrix.scale.T)
    return _biased(node, _rows(graph, node, left, matrix), node.optional(2))


def matmul(graph: Graph, node: Node) -> Values:
    matrix = fits(node, node[1], Constant, "a product of two computed tensors")
    if matrix.levels.ndim != 2:
        raise node.refused("a MatMul whose right-hand side is no matrix")
    return _rows(graph, node, node[0], matrix)


def _rows(graph: Graph, node: Node, left: Values, matrix: Constant) -> Values:
    """[..., K] @ [K, M]."""
    fits(node, left, Values, "a product of constants")
    scales = _columns(node, matrix.levels, matrix.scale)
    rows, row_scales = left.wires.reshape(-1, left.shape[-1]), left.scale.reshape(-1, left.shape[-1])
    wires = np.empty((len(rows), len(scales)), object)
    made = np.empty(wires.shape)
    for number, (row, row_scale) in enumerate(zip(rows, row_scales, strict=True)):
        wires[number], made[number] = _sums(graph, node, row, row_scale, matrix.levels, scales)
    return Values(*(each.reshape((*left.shape[:-1], len(scales))) for each in (wires, made)))


def _columns(node: Node, levels: Array, scale: Array) -> Array:
    """The scale of each column of a matrix of weights. Raises NotQuantised where they are floats."""
    if not Constant(levels, scale).is_quantised:
        raise NotQuantised(f"the weights of {node.name} are floats")
    if (np.abs(scale / scale[:1] - 1) > 1e-6).any():
        raise node.refused("weights whose scale differs along the sum")
    return np.array(scale[0])


def _sums(graph: Graph, node: Node, vector: Array, scale: Array, matrix: Array, columns: Array) -> tuple[Array, Array]:
    for wire in vector:
        if isinstance(wire, Tap):
            raise NotQuantised(f"the input {wire.port.name} goes into {node.name} as floats")
    shared = uniform(scale)
    if shared is None:
        raise NotQuantised(f"what goes into {node.name} has no scale of its own")
    return graph.circuit.products(vector, matrix), columns * shared


def conv(graph: Graph, node: Node) -> Values:
    """Of 1 to 3 dims, grouped and dilated too: every window is a product of its own in hardware."""
    value = fits(node, node[0], Values, "a convolution of a constant")
    kernel = fits(node, node[1], Constant, "a convolution with computed weights")
    groups, count = node.attribute("group", 1), kernel.levels.shape[0] // node.attribute("group", 1)
    places, windows = _windows(node, value, kernel.levels.shape[2:], filled=0.0)
    wires, scale = (np.empty((1, kernel.levels.shape[0], *places), kind) for kind in (object, float))
    if value.shape[0] != 1:
        raise node.refused("a batch larger than one")
    for group in range(groups):
        part = slice(group * count, (group + 1) * count)
        levels, scales = (each[part].reshape(count, -1).T for each in (kernel.levels, kernel.scale))
        columns = _columns(node, levels, scales)
        channels = slice(group * kernel.levels.shape[1], (group + 1) * kernel.levels.shape[1])
        for place, (seen, seen_scale) in windows():
            found = _sums(graph, node, seen[channels].ravel(), seen_scale[channels].ravel(), levels, columns)
            wires[(0, part, *place)], scale[(0, part, *place)] = found
    return _biased(node, Values(wires, scale), node.optional(2), axis=1)


def _biased(node: Node, sums: Values, bias: Any, axis: int = -1) -> Values:
    if bias is None:
        return sums
    offset = fits(node, bias, Constant, "a computed bias").value
    if axis == 1 and offset.ndim == 1:
        offset = offset.reshape(-1, *[1] * (len(sums.shape) - 2))
    return shifted(sums, offset)


def shifted(sums: Values, offset: Array) -> Values:
    """A constant added, rounded to the step of what it is added to: of sums of products, a fine one."""
    wires = np.empty(sums.shape, object)
    for place, wire in np.ndenumerate(sums.wires):
        step = float(wire.step) if isinstance(wire, FixedVariable) else 1.0
        level = np.broadcast_to(offset, sums.shape)[place] / sums.scale[place]
        wires[place] = wire + float(np.rint(level / step) * step)
    return Values(wires, sums.scale)


def _windows(node: Node, value: Values, kernel: tuple[int, ...], filled: float | None) -> Any:
    """The places that a window comes to, and a generator of (place, (wires, scales)), each [C, *kernel]. `filled` is
    what stands in the padding; None marks it in the scales by a 0."""
    dims = len(kernel)
    strides, dilations = (node.attribute(name, [1] * dims) for name in ("strides", "dilations"))
    before, after = _padding(node, value.shape[2:], kernel, strides, dilations)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    sizes = [have + a + b for have, a, b in zip(value.shape[2:], before, after, strict=True)]
    rounded: Callable[[float], int] = math.ceil if node.attribute("ceil_mode", 0) else math.floor
    places = [rounded((s - e) / t) + 1 for s, e, t in zip(sizes, extents, strides, strict=True)]
    # ONNX: a window that would start in the padding at the end is none
    places = [
        n - 1 if rounded is math.ceil and (n - 1) * t >= have + a else n
        for n, t, have, a in zip(places, strides, value.shape[2:], before, strict=True)
    ]
    further = [
        max(0, (n - 1) * t + e - s) for n, t, e, s in zip(places, strides, extents, sizes, strict=True)
    ]  # beyond the padding, with ceil_mode
    around = [(0, 0), *((a, b + more) for a, b, more in zip(before, after, further, strict=True))]
    wires = np.pad(value.wires[0], around, constant_values=0.0 if filled is None else filled)
    inner = np.pad(np.ones(value.shape[1:], bool), around, constant_values=False)
    typical = float(value.scale.flat[0])
    scales = np.pad(value.scale[0], around, constant_values=typical)
    if filled is None:
        scales = np.where(inner, scales, 0.0)

    def walk() -> Any:
        for place in itertools.product(*map(range, places)):
            window = tuple(
                slice(p * t, p * t + e, d) for p, t, e, d in zip(place, strides, extents, dilations, strict=True)
            )
            yield place, (wires[(slice(None), *window)], scales[(slice(None), *window)])

    return places, walk


def _padding(node: Node, sizes: Any, kernel: Any, strides: Any, dilations: Any) -> tuple[list[int], list[int]]:
    dims, kind = len(kernel), node.attribute("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID"):
        pads = node.attribute("pads", [0] * (2 * dims)) if kind == "NOTSET" else [0] * (2 * dims)
        return list(pads[:dims]), list(pads[dims:])
    before, after = [], []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        whole = max(0, (math.ceil(size / stride) - 1) * stride + (width - 1) * dilation + 1 - size)
        less = whole // 2
        before.append(less if kind == "SAME_UPPER" else whole - less)
        after.append(whole - before[-1])
    return before, after


def relu(graph: Graph, node: Node) -> Values:
    del graph
    value = _computed(node, node[0])
    return Values(_each(value.wires, _positive), value.scale)


def _positive(wire: Any) -> Any:
    return wire.relu() if isinstance(wire, FixedVariable) else max(0.0, wire)


def clip(graph: Graph, node: Node) -> Values:
    del graph
    value = _computed(node, node[0])
    low, high = (None if node.optional(i) is None else float(node[i].value) for i in (1, 2))
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        step = float(wire.step) if isinstance(wire, FixedVariable) else 1.0
        scale = float(value.scale[place]) * step
        if low is not None:
            wire = _positive(wire) if low == 0 else _extreme(wire, math.ceil(low / scale - _BEYOND) * step, max)
        if high is not None:
            wire = _extreme(wire, math.floor(high / scale + _BEYOND) * step, min)
        wires[place] = wire
    return Values(wires, value.scale)


def _extreme(one: Any, other: Any, choose: Callable[..., Any]) -> Any:
    """max or min of wires and floats."""
    if not isinstance(one, FixedVariable):
        one, other = other, one
    if not isinstance(one, FixedVariable):
        return choose(one, other)
    return one.max_of(other) if choose is max else one.min_of(other)


def _greatest(wires: list[Any]) -> Any:
    """As a tree, so that the delay is the logarithm of the count."""
    while len(wires) > 1:
        pairs = [_extreme(a, b, max) for a, b in zip(wires[::2], wires[1::2], strict=False)]
        wires = pairs + ([wires[-1]] if len(wires) % 2 else [])
    return wires[0]


def max_pool(graph: Graph, node: Node) -> Values:
    del graph
    value = _computed(node, node[0])
    places, windows = _windows(node, value, tuple(node.attribute("kernel_shape", ())), filled=None)
    wires, scale = (np.empty((1, value.shape[1], *places), kind) for kind in (object, float))
    for place, (seen, scales) in windows():
        for channel in range(value.shape[1]):
            inside = scales[channel] != 0
            shared = uniform(scales[channel][inside])
            if shared is None:
                raise node.refused("a maximum over tensors of different scales")
            wires[(0, channel, *place)] = _greatest(list(seen[channel][inside]))
            scale[(0, channel, *place)] = shared
    return Values(wires, scale)


def average_pool(graph: Graph, node: Node) -> Values:
    value = _computed(node, node[0])
    if node.op == "GlobalAveragePool":
        places, windows = [1] * len(value.shape[2:]), None
    else:
        places, windows = _windows(node, value, tuple(node.attribute("kernel_shape", ())), filled=None)
    wires, scale = (np.empty((1, value.shape[1], *places), kind) for kind in (object, float))
    whole = windows() if windows else [((0,) * len(places), (value.wires[0], value.scale[0]))]
    for place, (seen, scales) in whole:
        for channel in range(value.shape[1]):
            inside = scales[channel] != 0
            shared = uniform(scales[channel][inside])
            if shared is None:
                raise node.refused("a mean over tensors of different scales")
            count = int(inside.size if node.attribute("count_include_pad", 0) else inside.sum())
            found = graph.circuit.products(seen[channel][inside].ravel(), np.ones((int(inside.sum()), 1)))
            wires[(0, channel, *place)], scale[(0, channel, *place)] = found[0], shared / count
    return Values(wires, scale)


def reduce_mean(graph: Graph, node: Node) -> Values:
    value = _computed(node, node[0])
    axes = node.attribute("axes", None)
    if axes is None and node.optional(1) is not None:
        axes = [int(axis) for axis in node[1].value]
    axes = sorted(axis % len(value.shape) for axis in axes or range(len(value.shape)))
    rest = [axis for axis in range(len(value.shape)) if axis not in axes]
    count = math.prod(value.shape[axis] for axis in axes)
    kept = [value.shape[axis] for axis in rest]
    rows, scales = (each.transpose(*rest, *axes).reshape(-1, count) for each in (value.wires, value.scale))
    wires, scale = np.empty(len(rows), object), np.empty(len(rows))
    for number, (row, row_scale) in enumerate(zip(rows, scales, strict=True)):
        shared = uniform(row_scale)
        if shared is None:
            raise node.refused("a mean over tensors of different scales")
        wires[number] = graph.circuit.products(row, np.ones((count, 1)))[0]
        scale[number] = shared / count
    shape = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
    return Values(*(each.reshape(shape if node.attribute("keepdims", 1) else kept) for each in (wires, scale)))


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
            _broadcast(_computed(node, left), np.broadcast_shapes(left.shape, right.levels.shape)), sign * right.value
        )
    if isinstance(left, Constant):
        negative = _scaled(_computed(node, right), np.array(sign))
        return shifted(_broadcast(negative, np.broadcast_shapes(left.levels.shape, right.shape)), left.value)
    shape = np.broadcast_shapes(left.shape, right.shape)
    one, other = (
        _broadcast(_computed(node, each), shape) for each in (left, _scaled(_computed(node, right), np.array(sign)))
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
    return _scaled(_computed(node, left), factor.value)


def divide(graph: Graph, node: Node) -> Values:
    del graph
    factor = fits(node, node[1], Constant, "a quotient of two computed tensors")
    return _scaled(_computed(node, node[0]), 1.0 / factor.value)


def _scaled(value: Values, factor: Array) -> Values:
    value = _broadcast(value, np.broadcast_shapes(value.shape, factor.shape))
    factor = np.broadcast_to(factor, value.shape)
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        wires[place] = 0.0 if factor[place] == 0 else wire if factor[place] > 0 else -wire
    return Values(wires, value.scale * np.where(factor == 0, 1.0, np.abs(factor)))


def _broadcast(value: Values, shape: tuple[int, ...]) -> Values:
    return Values(np.broadcast_to(value.wires, shape), np.broadcast_to(value.scale, shape))


def _computed(node: Node, value: Any) -> Values:
    """Raises NotQuantised where it is an input as it comes."""
    found = fits(node, value, Values, "a constant there")
    for wire in found.wires.flat:
        if isinstance(wire, Tap):
            raise NotQuantised(f"the input {wire.port.name} goes into {node.name} as floats")
    return found


def _curve(function: Callable[[Array], Array]) -> Callable[[Graph, Node], Pending]:
    def make(graph: Graph, node: Node) -> Pending:
        del graph
        return Pending(_computed(node, node[0]), node.op, function=function)

    return make


def softmax(graph: Graph, node: Node) -> Pending:
    """By the host: in hardware the largest of its inputs says as much."""
    del graph
    return Pending(_computed(node, node[0]), node.op, axis=node.attribute("axis", -1))


def leaky_relu(graph: Graph, node: Node) -> Pending:
    del graph
    slope = node.attribute("alpha", 0.01)
    return Pending(_computed(node, node[0]), node.op, function=lambda x: np.where(x < 0, slope * x, x))


def _each(wires: Array, function: Callable[[Any], Any]) -> Array:
    made = np.empty(wires.shape, object)
    for place, wire in np.ndenumerate(wires):
        made[place] = function(wire)
    return made


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "Add": add,
    "AveragePool": average_pool,
    "Clip": clip,
    "Conv": conv,
    "DequantizeLinear": dequantize,
    "Div": divide,
    "Gemm": gemm,
    "GlobalAveragePool": average_pool,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": multiply,
    "QuantizeLinear": quantize,
    "LeakyRelu": leaky_relu,
    "LogSoftmax": softmax,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Sigmoid": _curve(lambda x: 1 / (1 + np.exp(-x))),
    "Softmax": softmax,
    "Sub": subtract,
    "Tanh": _curve(np.tanh),
}
