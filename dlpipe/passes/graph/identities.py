"""Take out Identity nodes."""

import onnx_ir as ir

from .infra import bypass


def eliminate(model: ir.Model) -> bool:
    """In the main graph and all nested ones; whether there was one. An Identity stays where it makes a graph's output
    of what that graph does not compute itself, or has as an output already: both need a name of their own."""
    found = False
    for graph in (model.graph, *model.graph.subgraphs()):
        for node in list(graph):
            if node.op_type == "Identity" and node.domain == "" and _can_go(node):
                source = node.inputs[0]
                assert source is not None
                _know_more(source, node.outputs[0])
                bypass(node, source)
                found = True
    return found


def _can_go(node: ir.Node) -> bool:
    source, made = node.inputs[0], node.outputs[0]
    if source is None:
        return False
    if not made.is_graph_output():
        return True
    producer = source.producer()
    return producer is not None and producer.graph is node.graph and not source.is_graph_output()


def _know_more(source: ir.Value, made: ir.Value) -> None:
    """What stays has the type and shape of both."""
    if source.type is None:
        source.type = made.type
    if source.shape is None:
        source.shape = made.shape
