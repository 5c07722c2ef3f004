"""Casts where float32 and a shorter float meet."""

from collections.abc import Collection

import onnx_ir as ir
from onnx_ir.passes import common

FLOAT = ir.DataType.FLOAT


def cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.Node("", "Cast", [value], [ir.AttrInt64("to", to.value)], name=f"{name}/cast")
    node.outputs[0].name, node.outputs[0].shape = name, value.shape
    node.outputs[0].type = ir.TensorType(to)
    return node


def float_before(node: ir.Node, value: ir.Value) -> ir.Value:
    made = cast(value, FLOAT, f"{value.name}/float/{node.name}")
    node.prepend(made)
    return made.outputs[0]


def short_after(node: ir.Node, value: ir.Value, short: ir.DataType, *, nested: bool) -> None:
    """Whoever read the float output reads it shortened from now on. An output of the main graph keeps the float; one of
    a nested graph goes on shortened."""
    uses = tuple(value.uses())
    graph = node.graph
    assert graph is not None
    leaves_at = [i for i, output in enumerate(graph.outputs) if nested and output is value]
    if not uses and not leaves_at:
        return
    made = cast(value, short, f"{value.name}/short")
    node.append(made)
    for position in leaves_at:
        graph.outputs[position] = made.outputs[0]
    for user, index in uses:
        user.replace_input_with(index, made.outputs[0])


def float_ports(graph: ir.Graph, short: ir.DataType, positions: Collection[int]) -> None:
    """Casts at the inputs and outputs of the main graph, whose names and types stay. positions: of the float outputs;
    the user's model may have short ones too."""
    for value in graph.inputs:
        if value.dtype == FLOAT and value.uses():
            uses = tuple(value.uses())
            made = cast(value, short, f"{value.name}/short")
            first = next(iter(graph), None)
            assert first is not None
            first.prepend(made)
            for node, index in uses:
                node.replace_input_with(index, made.outputs[0])
    for position, value in enumerate(list(graph.outputs)):
        if position in positions and value.dtype == short:
            name = value.name
            value.name = f"{name}/short"
            made = cast(value, FLOAT, str(name))
            graph.append(made)
            graph.outputs[position] = made.outputs[0]


def drop_pairs(model: ir.Model, short: ir.DataType) -> None:
    """float32 -> Cast(short) -> Cast(float32) is float32, between two nodes that were kept."""
    for node in list(model.graph.all_nodes()):
        source = node.inputs[0] if node.op_type == "Cast" and node.inputs else None
        above = source.producer() if source is not None else None
        if above is None or above.op_type != "Cast" or node.graph is None or node.outputs[0].is_graph_output():
            continue
        first = above.inputs[0]
        if first is None or source is None or source.dtype != short:
            continue
        if first.dtype == FLOAT and node.outputs[0].dtype == FLOAT:
            node.outputs[0].replace_all_uses_with(first)
    common.RemoveUnusedNodesPass()(model)
