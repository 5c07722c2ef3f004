"""Take out nodes that hand on what they are given."""

import onnx_ir as ir

from .infra import GraphPass, Rewritten, Work, bypass


class Identities(GraphPass):
    """Remove Identity nodes.

        x -> Identity -> Relu -> y          becomes          x -> Relu -> y

    In nested graphs too. Requires nothing. An Identity stays where it makes a graph's output of what that graph does
    not compute itself, or has as an output already: both need a name of their own. Exact.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        return Rewritten(model, eliminate(model))


def eliminate(model: ir.Model) -> list[str]:
    """One line for each that is gone."""
    gone = []
    for graph in (model.graph, *model.graph.subgraphs()):
        for node in list(graph):
            source = node.inputs[0] if node.inputs else None
            if node.op_type == "Identity" and node.domain == "" and source is not None and _can_go(node, source):
                gone.append(f"{node.name}: Identity")
                _know_more(source, node.outputs[0])
                bypass(node, source)
    return gone


def replace(node: ir.Node, source: ir.Value) -> None:
    """Whoever read the node's only output reads `source`. The node goes, or becomes an Identity where the output of a
    graph needs a name of its own."""
    if _can_go(node, source):
        bypass(node, source)
        return
    stays = ir.Node("", "Identity", [source], name=node.name)
    stays.outputs[0].name = node.outputs[0].name
    stays.outputs[0].type, stays.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    node.append(stays)
    bypass(node, stays.outputs[0])


def _can_go(node: ir.Node, source: ir.Value) -> bool:
    if not node.outputs[0].is_graph_output():
        return True
    producer = source.producer()
    return producer is not None and producer.graph is node.graph and not source.is_graph_output()


def _know_more(source: ir.Value, made: ir.Value) -> None:
    """What stays has the type and shape of both."""
    if source.type is None:
        source.type = made.type
    if source.shape is None:
        source.shape = made.shape
