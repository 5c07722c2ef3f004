"""Multiply-accumulates per run, from shapes alone. Elementwise arithmetic is not counted, as is usual in the field."""

from collections.abc import Mapping
from typing import Any

import onnx

from . import walk

Shapes = Mapping[str, list[int | str | None] | None]
_NOT_COUNTED = ("Einsum", "Attention", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DeformConv")


class Unknown(Exception):
    """The count depends on what is not known before the model runs."""


def count(model: Any) -> int:
    """MACs of the main graph with its inferred shapes. Raises Unknown with the reason."""
    return _of_graph(model.graph, {})


def of_one_sample(model: Any) -> bool:
    """Set the size of an open batch (the named first dim of an input) to 1, in place, and forget all shapes that were
    inferred. False where no batch is open."""
    found = False
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim[:1]:
            if dim.HasField("dim_param"):
                dim.dim_value, found = 1, True
    if found:
        del model.graph.value_info[:]
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
    return found


def shapes_of(graph: Any, outer: Shapes) -> dict[str, list[int | str | None] | None]:
    """Name -> dims of all values of a graph, and of those it sees from outside."""
    found = dict(outer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        found[value.name] = walk.dims(value)
    for tensor in graph.initializer:
        found[tensor.name] = list(tensor.dims)
    return found


def _of_graph(graph: Any, outer: Shapes) -> int:
    shapes = shapes_of(graph, outer)
    return sum(of_node(node, shapes) for node in graph.node)


def of_node(node: Any, shapes: Shapes) -> int:
    """Of one node. Raises Unknown with the reason."""
    attributes = {each.name: each for each in node.attribute}
    op = node.op_type if node.domain in ("", "ai.onnx") else ""
    if op == "Conv":
        weight = size(node, shapes, node.input[1])
        return walk.elements(size(node, shapes, node.output[0])) * walk.elements(weight[1:])
    if op == "ConvTranspose":
        weight = size(node, shapes, node.input[1])
        return walk.elements(size(node, shapes, node.input[0])) * walk.elements(weight[1:])
    if op == "MatMul":
        return walk.elements(size(node, shapes, node.output[0])) * size(node, shapes, node.input[0])[-1]
    if op == "Gemm":
        flip = "transA" in attributes and attributes["transA"].i
        return walk.elements(size(node, shapes, node.output[0])) * size(node, shapes, node.input[0])[0 if flip else 1]
    if op in ("LSTM", "GRU", "RNN"):
        return _recurrent(node, shapes, attributes)
    if op in ("Loop", "Scan", "If"):
        return _control_flow(node, shapes, attributes)
    if op in _NOT_COUNTED:
        raise Unknown(f"{op} is not counted (node {node.name!r})")
    return 0


def _recurrent(node: Any, shapes: Shapes, attributes: Mapping[str, Any]) -> int:
    """Per step and direction: gates x (input + hidden) x hidden."""
    x, weight, recurrence = (size(node, shapes, name) for name in node.input[:3])
    batch_first = "layout" in attributes and attributes["layout"].i
    steps, batch = (x[1], x[0]) if batch_first else (x[0], x[1])
    return steps * batch * (walk.elements(weight) + walk.elements(recurrence))


def _control_flow(node: Any, shapes: Shapes, attributes: Mapping[str, Any]) -> int:
    bodies = [each.g for each in attributes.values() if each.type == onnx.AttributeProto.GRAPH]
    if node.op_type == "If":
        costs = [_of_graph(body, shapes) for body in bodies]
        if len(set(costs)) > 1:
            raise Unknown(f"the branches of {node.name!r} cost differently: {sorted(costs)}")
        return costs[0]
    cost = _of_graph(bodies[0], shapes)
    if cost == 0:
        return 0
    if node.op_type == "Loop":
        raise Unknown(f"how often the loop {node.name!r} turns is known only when it runs")
    scanned = attributes["num_scan_inputs"].i
    axis = attributes["scan_input_axes"].ints[0] if "scan_input_axes" in attributes else 0
    return cost * size(node, shapes, node.input[len(node.input) - scanned])[axis]


def size(node: Any, shapes: Shapes, name: str) -> list[int]:
    """Dims of a value at a node. Raises Unknown where they are not fixed."""
    shape = shapes.get(name)
    known = [size for size in shape or [] if isinstance(size, int)]
    if shape is None or len(known) < len(shape):
        raise Unknown(f"the shape of {name!r} at {node.op_type} {node.name!r} is not fixed")
    return known
