"""What all fusions share: they look at each node as the last one of a group, and put one operator in its place."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import GraphPass, Rewritten, Work, add_constant, bypass, opset
from ..graph.raising import raise_opset
from ..graph.unused import remove_unused
from .match import FLOATS

_BROADCASTS = 7  # the opset since which operands are broadcast as in NumPy


@dataclass(frozen=True, slots=True)
class Prepared:
    """A value that goes through an operator first: an Expand or Reshape with `sizes`, or one that has no parameters."""

    operator: str
    value: ir.Value
    sizes: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """`nodes`, the last one first, do what one `operator` does; only the last one's result is read by others. An array
    among the inputs becomes a weight. `shape`: of the operator's result, where it is not the last one's."""

    operator: str
    inputs: Sequence[ir.Value | np.ndarray[Any, Any] | Prepared]
    nodes: Sequence[ir.Node]
    attributes: dict[str, Any] = field(default_factory=dict)
    shape: ir.Shape | None = None


class Fusion(GraphPass):
    """Finds groups and replaces each by one node.

    A model of an earlier operator set than the groups' operators need is raised to it, where params["raise_opset"]
    says so and only where there is such a group: measured on transformers of PyTorch's exporters, a fused model of set
    23 is 1.1 to 1.5 times as fast on ONNX Runtime as the same of set 17 or 18. Where it cannot be raised it stays.
    """

    opsets: tuple[int, ...] = ()  # that brought the operators and are worth raising a model to, earliest first

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        changes = self._raise(model, work) if work.params.get("raise_opset", False) else []
        while found := self._replace_all(model):
            changes += found
            remove_unused(model)  # which may free further groups
        return Rewritten(model, changes)

    def _replace_all(self, model: ir.Model) -> list[str]:
        changes, version = list[str](), opset(model)
        for graph in (model.graph, *model.graph.subgraphs()):
            for node in reversed(list(graph)):  # the last node of a group is met before its others
                group = self._group(node, version) if node.graph is graph else None
                if group is not None:
                    changes.append(_replace(group))
        return changes

    def _raise(self, model: ir.Model, work: Work) -> list[str]:
        """To the first set with which as many groups are found as with the last."""
        now = opset(model)
        found = {version: self._count(model, version) for version in (now, *self.opsets) if version >= now}
        least = min(version for version, count in found.items() if count == max(found.values()))
        try:
            raised = raise_opset(model, least, "the fusion")
        except Refused as refused:
            work.note(f"{found[least] - found[now]} groups stay: {refused}", level="warning")
            return []
        if raised:  # the converter holds what were attributes in nodes
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        return raised

    def _count(self, model: ir.Model, version: int) -> int:
        return sum(self._group(node, version) is not None for node in model.graph.all_nodes())

    def _group(self, node: ir.Node, version: int) -> Group | None:
        if node.domain != "" or not node.outputs or version < _BROADCASTS:
            return None
        group = self.find(node, version)
        return group if group is not None and _sound(group) else None

    @abc.abstractmethod
    def find(self, last: ir.Node, opset: int) -> Group | None:
        """The group that ends with `last`."""


def _sound(group: Group) -> bool:
    """All in one graph, on floats, and nobody else reads what is computed on the way."""
    last, nodes = group.nodes[0], set(group.nodes)
    inside = all(
        user in nodes for node in nodes - {last} for value in node.outputs for user, _ in value.uses()
    ) and not any(value.is_graph_output() for node in nodes - {last} for value in node.outputs)
    first = group.inputs[0]
    value = first.value if isinstance(first, Prepared) else first
    floats = isinstance(value, ir.Value) and value.dtype in FLOATS
    return inside and floats and all(node.graph is last.graph for node in nodes)


def _replace(group: Group) -> str:
    last = group.nodes[0]
    result = last.outputs[0]
    stem = last.name or result.name
    inputs = [_operand(each, last, f"{stem}/{group.operator.lower()}_{i}") for i, each in enumerate(group.inputs)]
    attributes = [ir.convenience.convert_attribute(name, value) for name, value in group.attributes.items()]
    made = ir.Node("", group.operator, inputs, attributes, name=last.name)
    made.outputs[0].name, made.outputs[0].type, made.outputs[0].shape = result.name, result.type, result.shape
    if group.shape is not None:
        made.outputs[0].shape = group.shape
    last.prepend(made)
    operators = " ".join(sorted({node.op_type for node in group.nodes}))
    bypass(last, made.outputs[0])
    _remove(group.nodes)
    return f"{stem}: {len(group.nodes)} nodes ({operators}) became one {group.operator}"


def _remove(nodes: Sequence[ir.Node]) -> None:
    """Those that nobody reads any more: they would count as readers of what they read."""
    waiting = [node for node in dict.fromkeys(nodes) if node.graph is not None]
    while idle := [n for n in waiting if not any(v.uses() or v.is_graph_output() for v in n.outputs)]:
        for node in idle:
            assert node.graph is not None
            node.graph.remove(node, safe=True)
        waiting = [node for node in waiting if node.graph is not None]


def _operand(given: ir.Value | np.ndarray[Any, Any] | Prepared, last: ir.Node, name: str) -> ir.Value:
    if isinstance(given, ir.Value):
        return given
    if isinstance(given, np.ndarray):
        return add_constant(last.graph, given, name)
    sizes = [add_constant(last.graph, np.array(given.sizes, np.int64), f"{name}/sizes")] if given.sizes else []
    node = ir.Node("", given.operator, [given.value, *sizes], name=name)
    node.outputs[0].name, node.outputs[0].type = f"{name}/{given.operator.lower()}", given.value.type
    last.prepend(node)
    return node.outputs[0]
