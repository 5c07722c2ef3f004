"""Writes a loop of known length out as the nodes of its steps."""

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from . import loop_steps
from .infra import add_constant, opset

_AXES_OPSET = 13  # since which Unsqueeze takes its axes as an input


def write_out(model: ir.Model, node: ir.Node, steps: int) -> int:
    """Replace `node` in its graph. Returns how many nodes there are in its place."""
    return _Writer(model, node).write(steps)


class _Writer:
    def __init__(self, model: ir.Model, node: ir.Node) -> None:
        assert node.graph is not None
        self._node, self._graph = node, node.graph
        self._body = loop_steps.body(node)
        self._opset = opset(model)
        self._name = _free_prefix(model, node)
        self._is_loop = node.op_type == "Loop"
        first = 2 if self._is_loop else 0  # a Loop's bound and condition
        scanned = loop_steps.scan_inputs(node)
        inputs = [value for value in node.inputs[first:] if value is not None]
        self._states = inputs[: len(inputs) - scanned]
        self._sources = inputs[len(inputs) - scanned :]
        self._stacked = list(node.outputs)[len(self._states) :]
        self._written = 0

    def write(self, steps: int) -> int:
        self._prepare_body()
        states, rows = self._states, list[list[ir.Value]]()
        for step in range(steps):
            results = self._step(step, [*self._counters(step), *states, *self._slices(step, steps)])
            results = results[1:] if self._is_loop else results
            states = results[: len(states)]
            rows.append(results[len(states) :])
        for old, new in zip(self._node.outputs, states, strict=False):
            self._hand_over(old, new)
        self._stack(rows)
        inner = list(self._body.all_nodes())
        self._graph.remove(self._node, safe=True)
        _forget_inputs(inner)
        return self._written

    def _prepare_body(self) -> None:
        """Its weights move out, to be there once for all steps; each result has a node in the body that makes it."""
        for value in list(self._body.initializers.values()):
            self._body.initializers.pop(str(value.name))
            value.name = f"{self._name}/{value.name}"
            self._graph.register_initializer(value)
        for position, value in enumerate(self._body.outputs):
            producer = value.producer()
            if (producer is None or producer.graph is not self._body) and value not in self._body.inputs:
                node = _make("Identity", [value], f"result{position}")
                self._body.append(node)
                self._body.outputs[position] = node.outputs[0]

    def _step(self, step: int, given: list[ir.Value]) -> list[ir.Value]:
        copy = self._body.clone(allow_outer_scope_values=True)
        _prefix_names(copy, f"{self._name}/step{step}/")
        replaced = dict(zip(copy.inputs, given, strict=True))
        results = [replaced.get(value, value) for value in copy.outputs]
        copy.outputs.clear()
        for inner, outer in replaced.items():
            inner.replace_all_uses_with(outer)
        nodes = list(copy)
        copy.remove(nodes)
        self._graph.insert_before(self._node, nodes)
        self._written += len(nodes)
        return results

    def _counters(self, step: int) -> list[ir.Value]:
        """Of a Loop: the step's number, and that it goes on."""
        if not self._is_loop:
            return []
        values = {"number": np.array(step, np.int64), "goes-on": np.array(True)}
        return [add_constant(self._graph, array, f"{self._name}/step{step}/{name}") for name, array in values.items()]

    def _slices(self, step: int, steps: int) -> list[ir.Value]:
        count = len(self._sources)
        axes = loop_steps.per_port(self._node, "scan_input_axes", count)
        backward = loop_steps.per_port(self._node, "scan_input_directions", count)
        inner = list(self._body.inputs)[len(self._states) :]
        found = []
        for position, (source, axis, back) in enumerate(zip(self._sources, axes, backward, strict=True)):
            at, name = (steps - 1 - step if back else step), f"{self._name}/step{step}/{inner[position].name}"
            index = add_constant(self._graph, np.array(at, np.int64), f"{name}/index")
            found.append(self._insert("Gather", [source, index], name, [ir.AttrInt64("axis", axis)]))
        return found

    def _stack(self, rows: list[list[ir.Value]]) -> None:
        count = len(self._stacked)
        axes = loop_steps.per_port(self._node, "scan_output_axes", count)
        backward = loop_steps.per_port(self._node, "scan_output_directions", count)
        for position, (old, axis, back) in enumerate(zip(self._stacked, axes, backward, strict=True)):
            if not old.uses() and not old.is_graph_output():
                continue
            order = range(len(rows) - 1, -1, -1) if back else range(len(rows))
            lifted = [
                self._unsqueeze(rows[step][position], axis, f"{self._name}/step{step}/{old.name}") for step in order
            ]
            stacked = self._insert("Concat", lifted, f"{self._name}/{old.name}", [ir.AttrInt64("axis", axis)])
            self._hand_over(old, stacked)

    def _unsqueeze(self, value: ir.Value, axis: int, name: str) -> ir.Value:
        if self._opset < _AXES_OPSET:
            return self._insert("Unsqueeze", [value], name, [ir.AttrInt64s("axes", [axis])])
        axes = add_constant(self._graph, np.array([axis], np.int64), f"{name}/axes")
        return self._insert("Unsqueeze", [value, axes], name)

    def _hand_over(self, old: ir.Value, new: ir.Value) -> None:
        """Whoever read the loop's output reads `new`. An output of the graph keeps its name."""
        if old.is_graph_output():
            name, old.name = str(old.name), f"{self._name}/{old.name}/loop"
            new = self._insert("Identity", [new], name)
            new.type, new.shape = old.type, old.shape
        old.replace_all_uses_with(new, replace_graph_outputs=True)

    def _insert(self, op: str, inputs: list[ir.Value], name: str, attributes: Iterable[ir.Attr] = ()) -> ir.Value:
        node = _make(op, inputs, name, attributes)
        self._graph.insert_before(self._node, node)
        self._written += 1
        return node.outputs[0]


def _make(op: str, inputs: list[ir.Value], name: str, attributes: Iterable[ir.Attr] = ()) -> ir.Node:
    node = ir.Node("", op, inputs, attributes, name=name)
    node.outputs[0].name = name
    return node


def _free_prefix(model: ir.Model, node: ir.Node) -> str:
    """The loop's name, or the next free one: node names need not be unique, and nothing in the model may begin so."""
    taken: set[str] = set()
    for each in model.graph.all_nodes():
        taken.update(str(name) for name in (each.name, *(value.name for value in each.outputs)) if name)
    wanted = node.name or next(str(value.name) for value in node.outputs if value.name)
    free, number = wanted, 2
    while any(name.startswith(f"{free}/step") for name in taken):
        free, number = f"{wanted}_{number}", number + 1
    return free


def _prefix_names(graph: ir.Graph, prefix: str) -> None:
    """Of all nodes and of all values that they make, those of nested graphs included."""
    for inner in graph.subgraphs():
        for value in {*inner.inputs, *inner.initializers.values()}:
            value.name = f"{prefix}{value.name}"
    for node in graph.all_nodes():
        node.name = f"{prefix}{node.name or node.outputs[0].name}"
        for value in node.outputs:
            if value.name:
                value.name = f"{prefix}{value.name}"


def _forget_inputs(nodes: list[ir.Node]) -> None:
    """What is taken out of the model no longer counts as a reader of what stays."""
    for node in nodes:
        for index in range(len(node.inputs)):
            node.replace_input_with(index, None)
