"""Weights that are stored several times."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import onnx_ir as ir

from .infra import GraphPass, Rewritten, Work
from .stored import Stored

_HEAD = 1 << 16  # bytes that are compared first: few weights agree in these and differ behind them
_BLOCK = 1 << 20
_WORTH_MOVING = 1 << 10  # bytes of a weight of several nested graphs that is worth a place in the main graph


class DeduplicateWeights(GraphPass):
    """Store equal weights once.

        x -> Gather(table) ... -> MatMul(table')      becomes      x -> Gather(table) ... -> MatMul(table)

    Equal are type, shape and bytes (so -0.0 is not 0.0). Nested graphs use the weight of a graph around them; what two
    of them share that do not lie in each other moves to the main graph, if it is larger than 1 KiB. What is an input
    (the user may feed another value) or an output stays. Requires nothing. Exact. Bytes are read in blocks, and only
    those of weights that agree in type, shape and their first 64 KiB: memory does not depend on the model's size.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        return Rewritten(model, deduplicate(model))


def deduplicate(model: ir.Model) -> list[str]:
    """One line for each weight that is gone."""
    around = _graphs_around(model)
    found = [value for graph in around for value in graph.initializers.values() if _may_go(value)]
    groups = _split(found, lambda value: (value.const_value.dtype, tuple(value.const_value.shape)))
    groups = _split_all(groups, lambda value: _digest(value.const_value, _HEAD))
    groups = _split_all(groups, lambda value: _digest(value.const_value, None))
    names = {value.name for graph in around for value in _values(graph)}
    return [line for group in groups for line in _merge(group, model.graph, around, names)]


def _graphs_around(model: ir.Model) -> dict[ir.Graph, set[ir.Graph]]:
    """Each graph, outer ones first -> itself and those that it lies in."""
    around: dict[ir.Graph, set[ir.Graph]] = {model.graph: {model.graph}}
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop(0)
        for node in graph:
            for attribute in node.attributes.values():
                one = attribute.type == ir.AttributeType.GRAPH
                several = attribute.type == ir.AttributeType.GRAPHS
                for body in [attribute.value] if one else attribute.value if several else ():
                    around[body] = {body, *around[graph]}
                    waiting.append(body)
    return around


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def _may_go(value: ir.Value) -> bool:
    return value.const_value is not None and not value.is_graph_input() and not value.is_graph_output()


def _split(values: Iterable[ir.Value], key: Any) -> list[list[ir.Value]]:
    """By key, in order; groups of one left out."""
    groups = defaultdict(list)
    for value in values:
        groups[key(value)].append(value)
    return [group for group in groups.values() if len(group) > 1]


def _split_all(groups: list[list[ir.Value]], key: Any) -> list[list[ir.Value]]:
    return [part for group in groups for part in _split(group, key)]


def _digest(tensor: Any, most: int | None) -> bytes:
    """Of the first `most` bytes."""
    total = hashlib.sha256()
    if isinstance(tensor, Stored):
        for block in tensor.blocks(_BLOCK, most):
            total.update(block)
    elif tensor.dtype == ir.DataType.STRING:
        total.update(repr(list(tensor.string_data())).encode())
    else:
        total.update(memoryview(tensor.tobytes())[:most])
    return total.digest()


def _merge(
    group: list[ir.Value], main: ir.Graph, around: dict[ir.Graph, set[ir.Graph]], names: set[str | None]
) -> list[str]:
    """The first weight that all graphs of the group see, or one that is put there, takes the place of the others."""
    common = set.intersection(*(around[value.graph] for value in group if value.graph is not None))
    kept = next((value for value in group if value.graph in common), None)
    if kept is None and group[0].const_value is not None and group[0].const_value.nbytes > _WORTH_MOVING:
        kept = _in_main(group[0], main, names)
    if kept is None:  # then only those of the same graph
        return [line for part in _split(group, lambda value: value.graph) for line in _merge(part, main, around, names)]
    gone = [value for value in group if value is not kept]
    for value in gone:
        value.replace_all_uses_with(kept)
        assert value.graph is not None
        value.graph.initializers.pop(str(value.name))
    return [f"{value.name}: the same as {kept.name}" for value in gone]


def _in_main(value: ir.Value, main: ir.Graph, names: set[str | None]) -> ir.Value:
    name, number = str(value.name), 2
    while name in names:
        name, number = f"{value.name}_{number}", number + 1
    names.add(name)
    tensor = value.const_value
    assert tensor is not None
    made = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    main.register_initializer(made)
    return made
