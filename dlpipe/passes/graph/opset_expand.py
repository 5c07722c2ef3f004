"""Operators that ONNX defines by others, replaced by these."""

from typing import Any

import onnx
import onnx.inliner
import onnx_ir as ir


def expand(node: ir.Node, version: int) -> list[ir.Node] | None:
    """Put the definition that set `version` gives of the operator in the node's place; returns its nodes. None where
    there is no definition, or it depends on a type that is not known.

    The model is not touched by ONNX's inliner: it gets the node alone, between inputs of its types.
    """
    schema = onnx.defs.get_schema(node.op_type, version, "")
    inputs = [value for value in node.inputs if value is not None]
    if not (schema.has_function or schema.has_context_dependent_function):
        return None
    if any(value.type is None for value in inputs) or node.graph is None:
        return None
    try:
        found = onnx.inliner.inline_selected_functions(
            _alone(node, version), [("", node.op_type)], inline_schema_functions=True
        )
    except RuntimeError:
        return None
    graph = ir.from_proto(found).graph
    parts = list(graph)
    if any(part.op_type == node.op_type for part in parts):
        return None
    _put(node, graph, parts)
    return parts


def _alone(node: ir.Node, version: int) -> Any:
    """A model of this node."""
    proto = ir.to_proto(node)
    inputs = {value.name: ir.to_proto(value) for value in node.inputs if value is not None}
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "alone", list(inputs.values()), outputs)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)], ir_version=10)


def _put(node: ir.Node, alone: ir.Graph, parts: list[ir.Node]) -> None:
    """Move the parts out of their graph to where the node stands, with names after its own."""
    assert node.graph is not None
    given = {value.name: value for value in node.inputs if value is not None}
    made = {value.name: value for value in node.outputs}
    results = {made[value.name]: value for value in alone.outputs}
    alone.outputs.clear()
    for number, part in enumerate(parts):
        alone.remove(part)
        part.name = f"{node.name}/{part.op_type}_{number}"
        for value in part.outputs:
            value.name = f"{node.name}/{value.name}"
    node.prepend(parts)
    for value in alone.inputs:
        value.replace_all_uses_with(given[value.name])  # in the graphs inside the parts too
    for old, new in results.items():
        was_output, name = old.is_graph_output(), old.name
        new.type, new.shape = old.type, old.shape
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        if was_output:
            new.name = name
    node.graph.remove(node, safe=True)
