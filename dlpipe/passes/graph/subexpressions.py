"""What is computed twice."""

from typing import Any

import onnx_ir as ir

from .identities import replace
from .infra import GraphPass, Rewritten, Work

# The same inputs give other outputs each time.
_RANDOM = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial"})
_RANDOM |= {"Bernoulli"}
_DROPOUT_IN_TRAINING = 3  # inputs of a Dropout that may drop something
_LARGEST = 1024  # elements of a tensor among the attributes that is compared


class CommonSubexpressions(GraphPass):
    """Compute once what several nodes compute alike.

        x -> Sigmoid -> Mul(a)              becomes    x -> Sigmoid -> Mul(a)
        x -> Sigmoid -> Mul(b)                                     \\-> Mul(b)

    Nodes are alike when operator, inputs and attributes are, and nothing is random about them; within one graph each,
    nested ones too. Those with graphs of their own (If, Loop, Scan) and those of other domains than ONNX's stay.
    Requires nothing. Exact: the same arithmetic in the same order. The algorithm is hash consing.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        return Rewritten(model, share(model))


def share(model: ir.Model) -> list[str]:
    """One line for each node that is gone."""
    gone = []
    for graph in (model.graph, *model.graph.subgraphs()):
        seen: dict[Any, ir.Node] = {}
        for node in list(graph):
            key = _key(node)
            if key is None or seen.setdefault(key, node) is node:
                continue
            if _take_over(node, seen[key]):
                gone.append(f"{node.name} ({node.op_type}) computes what {seen[key].name} does")
    return gone


def _key(node: ir.Node) -> Any:
    """Equal for nodes that are alike; None for one that stays."""
    if node.domain != "" or node.op_type in _RANDOM:
        return None
    if node.op_type == "Dropout" and len(node.inputs) >= _DROPOUT_IN_TRAINING:
        return None
    attributes = []
    for name, each in sorted(node.attributes.items()):
        if each.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) or each.ref_attr_name:
            return None
        if each.type == ir.AttributeType.TENSOR and each.value.size > _LARGEST:
            return None
        attributes.append((name, ir.to_proto(each).SerializeToString(deterministic=True)))
    return node.op_type, tuple(map(id, node.inputs)), len(node.outputs), tuple(attributes)


def _take_over(node: ir.Node, other: ir.Node) -> bool:
    """Have `other` do the work of `node`; whether it can."""
    if len(node.outputs) == 1:
        replace(node, other.outputs[0])
        return True
    if any(value.is_graph_output() for value in node.outputs):
        return False
    for old, new in zip(node.outputs, other.outputs, strict=True):
        old.replace_all_uses_with(new)
    assert node.graph is not None
    node.graph.remove(node, safe=True)
    return True
