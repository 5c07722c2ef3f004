"""Sums of products with constant weights, in wires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import shifted
from .graph import Graph, Node, fits
from .hardware import Array, Constant, NotQuantised, Tap, Values, uniform
from .windows import windows_of


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
    places, windows = windows_of(node, value, kernel.levels.shape[2:], filled=0.0)
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


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "Conv": conv,
    "Gemm": gemm,
    "MatMul": matmul,
}
