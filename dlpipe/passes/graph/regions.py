"""Regions of operators that are better computed in another order of axes."""

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from .commuting import Commuting, Perm, commuting, fits
from .identities import replace
from .infra import add_constant, constant, stored
from .transposes import inverse, permutation


@dataclass(slots=True)
class _Region:
    """Operators between Transposes by `perm` (the tops) and what reads them."""

    perm: Perm
    nodes: dict[ir.Node, Commuting] = field(default_factory=dict)
    tops: dict[ir.Node, None] = field(default_factory=dict)
    plain: dict[ir.Value, None] = field(default_factory=dict)  # comes in without a Transpose

    def values(self) -> list[ir.Value]:
        return [value for node in self.nodes for value in node.outputs]


def improve(graph: ir.Graph, opset: int) -> list[str]:
    """Have regions computed before the Transposes above them, wherever fewer Transposes are left then. Returns one line
    per region; a second call finds nothing."""
    changes: list[str] = []
    while True:
        line = next((line for node in list(graph) if (line := _try(node, opset)) is not None), None)
        if line is None:
            return changes
        changes.append(line)


def _try(top: ir.Node, opset: int) -> str | None:
    perm = _order(top)
    if perm is None or perm == tuple(sorted(perm)):
        return None
    for upward in (True, False):
        region = _grow(top, perm, opset, upward=upward)
        gain = _gain(region)
        if gain > 0:
            name = top.name
            count = len(region.nodes)
            _move(region)
            return f"{name}: {count} operators moved before it, {gain} Transposes fewer"
    return None


def _grow(top: ir.Node, perm: Perm, opset: int, *, upward: bool) -> _Region:
    """All operators that follow the Transpose and commute with it; with `upward`, also those before them."""
    region = _Region(perm, tops={top: None})
    waiting = list(top.outputs[0].consumers())
    while waiting:
        node = waiting.pop(0)
        if node in region.nodes or node.graph is not top.graph:
            continue
        found = _fitting(node, perm, opset)
        if found is None:
            continue
        region.nodes[node] = found
        waiting += [each for value in node.outputs for each in value.consumers()]
        for value in _moving(node, found):
            producer = value.producer()
            if producer is not None and _order(producer) == perm:
                region.tops[producer] = None
            elif upward and producer is not None and _fitting(producer, perm, opset) is not None:
                waiting.append(producer)
    inside = set(region.values()) | {each.outputs[0] for each in region.tops}
    for node, found in region.nodes.items():
        region.plain.update(dict.fromkeys(value for value in _moving(node, found) if value not in inside))
    return region


def _fitting(node: ir.Node, perm: Perm, opset: int) -> Commuting | None:
    """What of the node has these axes; None for one that has others, or does not commute."""
    found = commuting(node, len(perm), opset)
    if found is None or not fits(found, perm):
        return None
    if any(value.shape is None or len(value.shape) != len(perm) for value in node.outputs):
        return None
    for index in found.data:
        value = node.inputs[index]
        tensor = stored(value)
        if tensor is not None:
            known = len(tensor.shape) <= len(perm)
        else:
            known = value is not None and value.shape is not None and len(value.shape) == len(perm)
        if not known:
            return None
    return found if _moving(node, found) else None


def _moving(node: ir.Node, found: Commuting) -> list[ir.Value]:
    """The inputs that are not stored."""
    values = [node.inputs[index] for index in found.data]
    return [value for value in values if value is not None and stored(value) is None]


def _gain(region: _Region) -> int:
    """How many Transposes fewer there would be."""
    back, inside = inverse(region.perm), set(region.nodes)
    if not inside:
        return 0
    tops = [top.outputs[0] for top in region.tops]
    gone = sum(not made.is_graph_output() and all(user in inside for user in made.consumers()) for made in tops)
    gone -= len(region.plain)
    for value in region.values():
        outside = [user for user in value.consumers() if user not in inside]
        gone += sum(_order(user) == back for user in outside)
        gone -= value.is_graph_output() or any(_order(user) is None for user in outside)
    return gone


def _order(node: ir.Node) -> Perm | None:
    """Of a Transpose: its permutation, where it is known."""
    return permutation(node) if node.op_type == "Transpose" and node.domain == "" else None


def _move(region: _Region) -> None:
    perm, back = region.perm, inverse(region.perm)
    sources = {top.outputs[0]: top.inputs[0] for top in region.tops}
    for value in region.plain:
        sources[value] = _transposed(value, back, next(iter(region.nodes)))
    for node, found in region.nodes.items():
        for index in found.data:
            value = node.inputs[index]
            assert value is not None
            array = constant(value)
            if array is not None:
                node.replace_input_with(index, _turned(node, value, array, back))
            elif value in sources:
                node.replace_input_with(index, sources[value])
        found.turn(perm)
    for value in region.values():
        shape, value.shape = value.shape, _in_order(value.shape, back)
        _serve(value, shape, region)


def _in_order(shape: ir.Shape | None, perm: Perm) -> ir.Shape | None:
    return None if shape is None else ir.Shape([shape[axis] for axis in perm])


def _serve(value: ir.Value, shape: ir.Shape | None, region: _Region) -> None:
    """Whoever reads the value and is not of the region gets it in the order of axes that it had."""
    perm, back, inside = region.perm, inverse(region.perm), set(region.nodes)
    producer = value.producer()
    assert producer is not None
    others, gone = [], []
    for user, index in [(user, index) for user, index in value.uses() if user not in inside]:
        order = _order(user)
        if order is None:
            others.append((user, index))
        elif order == back:
            gone.append(user)
        else:
            user.attributes["perm"] = ir.AttrInt64s("perm", [perm[axis] for axis in order])
    if others or value.is_graph_output():
        was_output, name = value.is_graph_output(), value.name
        turned = _transpose(value, perm, shape, producer.graph)
        producer.append(turned)
        for user, index in others:
            user.replace_input_with(index, turned.outputs[0])
        if was_output:
            graph = producer.graph
            assert graph is not None
            graph.outputs[list(graph.outputs).index(value)] = turned.outputs[0]
            value.name, turned.outputs[0].name = turned.outputs[0].name, name
    for user in gone:
        replace(user, value)


def _transposed(value: ir.Value, perm: Perm, before: ir.Node) -> ir.Value:
    producer, graph = value.producer(), before.graph
    assert graph is not None
    made = _transpose(value, perm, _in_order(value.shape, perm), graph)
    if producer is not None and producer.graph is graph:
        producer.append(made)
    else:
        graph.insert_before(graph[0], made)
    return made.outputs[0]


def _transpose(value: ir.Value, perm: Perm, shape: ir.Shape | None, graph: ir.Graph | None) -> ir.Node:
    """Not in the graph yet, with a name that nothing there has."""
    assert graph is not None
    taken = {each for node in graph.all_nodes() for each in (node.name, *(output.name for output in node.outputs))}
    name, number = f"{value.name}/turned", 2
    while name in taken:
        name, number = f"{value.name}/turned_{number}", number + 1
    made = ir.Node("", "Transpose", [value], [ir.AttrInt64s("perm", list(perm))], name=name)
    made.outputs[0].name, made.outputs[0].type, made.outputs[0].shape = name, value.type, shape
    return made


def _turned(node: ir.Node, value: ir.Value, array: np.ndarray, back: Perm) -> ir.Value:
    if array.size == 1 and node.op_type not in ("Concat", "Where", "Expand"):
        return value
    full = array.reshape((1,) * (len(back) - array.ndim) + array.shape)
    return add_constant(node.graph, np.ascontiguousarray(full.transpose(back)), f"{value.name}/turned")
