"""Integers and scales in the graph, by ONNX's own DequantizeLinear."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant, bypass
from .activations import set_apart
from .blocks import Grid, Rounded
from .places import Place


def store(model: ir.Model, places: list[Place], rounded: Rounded) -> int:
    """The integers in place of the weight that all `places` read alike. Returns how many bytes these and their scales
    take."""
    numbers, scales, grid = rounded.numbers, rounded.scales, rounded.grid
    weight, node = places[0].weight, places[0].node
    assert weight.const_value is not None
    if node.op_type == "Gather":
        arrays, attributes, write = (numbers.T, scales.scale.T, scales.zero.T), {"axis": -1}, _look_up
    elif node.op_type == "Conv":
        shape = [int(size) for size in weight.const_value.shape]
        arrays, attributes, write = (numbers.T.reshape(shape), scales.scale[0], scales.zero[0]), {"axis": 0}, _multiply
    else:
        # ONNX Runtime makes a MatMulNBits of it, if the blocks run along axis 0 and nothing transposes them.
        arrays, attributes, write = (numbers, scales.scale, scales.zero), {"axis": 0}, _multiply
    if node.op_type != "Conv":  # which has a scale for each output channel
        attributes["block_size"] = grid.block
    graph, name = node.graph, str(weight.name)
    assert graph is not None
    if graph is not model.graph:  # ONNX Runtime looks for the integers beside their DequantizeLinear
        name = f"{name}/{node.name}"
    stored = [
        add_constant(graph, _integers(arrays[0], grid), f"{name}/integers"),
        add_constant(graph, np.ascontiguousarray(arrays[1]), f"{name}/scale"),
    ]
    if not grid.symmetric:
        stored.append(add_constant(graph, _integers(arrays[2], grid), f"{name}/zero_point"))
    for place in places:
        write(place.node, stored, attributes)
        if place.node.op_type in ("MatMul", "Gemm"):
            set_apart(place.node)
    return sum(value.const_value.nbytes for value in stored if value.const_value is not None)


def _multiply(node: ir.Node, stored: list[ir.Value], attributes: dict[str, int]) -> None:
    """MatMul, Gemm, Conv."""
    made = _dequantise(stored, f"{stored[0].name}/float/{node.name}", attributes)
    node.prepend(made)
    node.replace_input_with(1, made.outputs[0])
    for attribute in ("transB", "alpha"):  # are in the integers now
        node.attributes.pop(attribute, None)


def _look_up(node: ir.Node, stored: list[ir.Value], attributes: dict[str, int]) -> None:
    """Gather: only the rows that are looked up become floats."""
    result = node.outputs[0]
    rows = []
    for value in stored:
        row = ir.Node("", "Gather", [value, node.inputs[1]], [ir.AttrInt64("axis", 0)])
        row.name = row.outputs[0].name = f"{value.name}/{node.name}"
        rows.append(row)
    made = _dequantise([row.outputs[0] for row in rows], f"{stored[0].name}/float/{node.name}", attributes)
    made.outputs[0].type, made.outputs[0].shape = result.type, result.shape
    node.append([*rows, made])
    bypass(node, made.outputs[0])


def _dequantise(inputs: list[ir.Value], name: str, attributes: dict[str, int]) -> ir.Node:
    made = ir.Node("", "DequantizeLinear", inputs, [ir.AttrInt64(key, value) for key, value in attributes.items()])
    made.name = made.outputs[0].name = name
    return made


def _integers(numbers: Any, grid: Grid) -> Any:
    """int8, or two of 4 bits in a byte, the first one low."""
    if grid.bits == 8:
        return np.ascontiguousarray(numbers).astype(grid.dtype.numpy())
    flat = np.append(numbers.ravel(), np.zeros(numbers.size % 2, numbers.dtype)).astype(np.uint8) & 0xF
    packed = flat[0::2] | flat[1::2] << 4
    return ir.PackedTensor(packed, grid.dtype, shape=ir.Shape(numbers.shape))
