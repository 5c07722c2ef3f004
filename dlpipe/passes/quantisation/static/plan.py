"""Which nodes compute in 8 bits, and which tensors are rounded for them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from . import operators


@dataclass(eq=False, slots=True)
class Unit:
    """A node, with the Relu or Clip behind it that the range of its output does."""

    node: ir.Node
    kind: str
    inputs: list[tuple[int, ir.Value]]
    outputs: list[ir.Value]


Readers = Mapping[tuple[ir.Node, int], Unit]  # node and index of an input -> the unit that reads there


@dataclass(slots=True)
class Plan:
    """rounded: tensor -> the tensor whose scale it has (itself, or one that shares its levels), in the graph's order.
    replaced: those of `rounded` whose every reader takes the rounded values. moved: those that have been rounded
    before they were moved, so that no quantiser is wanted for them."""

    units: list[Unit] = field(default_factory=list)
    rounded: dict[ir.Value, ir.Value] = field(default_factory=dict)
    replaced: set[ir.Value] = field(default_factory=set)
    moved: set[ir.Value] = field(default_factory=set)


def plan(model: ir.Model, *, keep: Collection[str] = (), only: Collection[str] = (), whole: bool = False) -> Plan:
    """keep: names of nodes, or operators, that stay in float. only: operators; the others stay in float. whole: for
    processors that compute in 8 bits only: what can be rounded is, though nobody reads it in 8 bits."""
    units = _units(model.graph, keep, only)
    kept = set(units) if whole else _settle(units)
    made = Plan([unit for unit in units if unit in kept])
    makers = {value: unit for unit in made.units for value in unit.outputs}
    readers = _readers(made.units)
    for unit in made.units:
        for _, value in unit.inputs:
            made.rounded.setdefault(value, value)
        for value in unit.outputs:
            if whole or unit.kind != "matrix" or _all_read(value, readers):
                made.rounded.setdefault(value, value)
                made.replaced.add(value)
    _share(made, makers)
    return made


def _units(graph: ir.Graph, keep: Collection[str], only: Collection[str]) -> list[Unit]:
    found = []
    for node in graph:
        kind = operators.kind(node)
        if kind is None or {node.name, node.op_type} & set(keep) or (only and node.op_type not in only):
            continue
        outputs = list(node.outputs)
        tail = _only_reader(outputs[0]) if len(outputs) == 1 else None
        if tail is not None and tail.domain == "" and tail.op_type in operators.CLIPPING:
            outputs = [tail.outputs[0]]
        if inputs := operators.activations(node):
            found.append(Unit(node, kind, inputs, outputs))
    return found


def _settle(units: list[Unit]) -> set[Unit]:
    """Without the light and moving ones that would only bring rounding: dropped until none is left to drop."""
    kept = set(units)
    while True:
        readers, makers = _readers(kept), {value: unit for unit in kept for value in unit.outputs}
        dropped = {unit for unit in kept if not _pays(unit, makers, readers)}
        if not dropped:
            return kept
        kept -= dropped


def _pays(unit: Unit, makers: dict[ir.Value, Unit], readers: Readers) -> bool:
    if unit.kind in ("convolution", "matrix"):
        return True
    reading = [reader for value in unit.outputs for reader in _reading(value, readers)]
    if unit.kind == "light":
        return bool(reading) and all(_source(value, makers) is not None for _, value in unit.inputs)
    source = _source(unit.inputs[0][1], makers)
    if source is not None and source.kind != "matrix":
        return True
    # Floats are rounded before they are moved where a convolution reads them: that does away with a change of layout.
    wanted = all(reader.kind != "matrix" for reader in reading)
    return wanted and all(_all_read(value, readers) for value in unit.outputs)


def _source(value: ir.Value, makers: dict[ir.Value, Unit]) -> Unit | None:
    """The unit that computes these values, seen through those that only move them."""
    *_, first = _upwards(value, makers)
    return makers.get(first)


def _share(made: Plan, makers: dict[ir.Value, Unit]) -> None:
    """Moved values keep their levels, and what is concatenated gets those of the whole, if nobody else reads it."""
    for unit in made.units:
        if unit.kind == "moving":
            for value in unit.outputs:
                made.rounded[value] = unit.inputs[0][1]
            if unit.node.op_type in operators.SEEN_THROUGH and unit.outputs == list(unit.node.outputs):
                made.moved.update(unit.outputs)
    for unit in made.units:
        for _, value in unit.inputs if unit.node.op_type == "Concat" else ():
            chain = list(_upwards(value, makers))
            if all(len(each.uses()) == 1 and not each.is_graph_output() for each in chain):
                made.rounded[chain[-1]] = unit.outputs[0]
    for value in made.rounded:
        made.rounded[value] = _root(made.rounded, value)


def _upwards(value: ir.Value, makers: dict[ir.Value, Unit]) -> Iterator[ir.Value]:
    """The value, what it was before it was moved, and so on."""
    yield value
    while value in makers and makers[value].kind == "moving":
        value = makers[value].inputs[0][1]
        yield value


def _root(rounded: dict[ir.Value, ir.Value], value: ir.Value) -> ir.Value:
    while rounded[value] is not value:
        value = rounded[value]
    return value


def _readers(units: Collection[Unit]) -> Readers:
    return {(unit.node, index): unit for unit in units for index, _ in unit.inputs}


def _reading(value: ir.Value, readers: Readers) -> list[Unit]:
    """The units among those that read it."""
    return [readers[use.node, use.idx] for use in value.uses() if (use.node, use.idx) in readers]


def _all_read(value: ir.Value, readers: Readers) -> bool:
    """Whether whoever reads it computes in 8 bits, and somebody does."""
    uses = value.uses()
    return bool(uses) and not value.is_graph_output() and all((use.node, use.idx) in readers for use in uses)


def _only_reader(value: ir.Value) -> ir.Node | None:
    uses = value.uses()
    return uses[0].node if len(uses) == 1 and uses[0].idx == 0 and not value.is_graph_output() else None
