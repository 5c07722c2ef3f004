"""Loops as ONNX Runtime takes them, and counted where that can be: compilers can only write out a loop of known length.

Before:  i = 0;  Loop(condition = i < T, states = (i, s, w)) { i, s, w = i + 1, cell(s, x[i], w), w;  i < T }
After:   Loop(trip count = T, states = (i, s)) { i, s = i + 1, cell(s, x[i], w);  true }

Values that a Loop hands round unchanged are read from outside. TensorFlow 2 loops carry the list they read from that
way; tf2onnx gives it no type, and ONNX Runtime refuses the model ("Invalid tensor data type 0").

A condition that depends on constants only is run to find the number of steps, and goes. The length of a Scan is that
of what it scans: it stays as it is.
"""

from typing import Any

from .onnx_graph import (
    OnnxGraph,
    OnnxNode,
    all_graphs,
    captures,
    defined,
    needed_nodes,
    prune,
    reads,
    rename_reads,
    subgraphs,
)

MOST_STEPS = 10_000  # a longer loop stays uncounted: this many steps of any body are too many to write out


def simplify(graph: OnnxGraph) -> None:
    """Change the Loops of a graph, those in bodies included, in place."""
    _simplify([graph])
    prune(graph)


def counted(graph: OnnxGraph) -> dict[str, int]:
    """How many steps the Loops take that always take the same number, by the names of their nodes."""
    from onnx import numpy_helper

    found: dict[str, int] = {}
    for each in all_graphs(graph):
        weights = {tensor.name: tensor for tensor in each.initializer}
        for node in each.node:
            if node.op_type == "Loop" and node.input[0] in weights and not node.input[1]:
                found[node.name] = int(numpy_helper.to_array(weights[node.input[0]]).item())
    return found


def _simplify(scopes: list[OnnxGraph]) -> None:
    """`scopes`: the graph to change, after those that it stands in."""
    graph = scopes[-1]
    for node in graph.node:
        if node.op_type == "Loop":
            read = {output.name for output in graph.output}.union(*(reads(each) for each in graph.node))
            _hoist_invariants(node, read)
            steps = _steps(scopes, node)
            if steps is not None:
                _count(graph, node, steps)
        for inner in subgraphs(node):
            _simplify([*scopes, inner])


def _body(node: OnnxNode) -> OnnxGraph:
    return next(attribute.g for attribute in node.attribute if attribute.name == "body")


def _hoist_invariants(node: OnnxNode, read: set[str]) -> None:
    """State that every step returns as it got it becomes a capture of the outer tensor."""
    body = _body(node)
    made_by = {name: each for each in body.node for name in each.output}
    outside: dict[str, str] = {}
    for position in reversed(range(len(node.input) - 2)):
        given, origin = body.input[position + 2].name, body.output[position + 1].name
        while origin in made_by and made_by[origin].op_type == "Identity":
            origin = made_by[origin].input[0]
        outer = node.input[position + 2]
        if origin == given and outer not in defined(body) and node.output[position] not in read:
            outside[given] = outer
            _remove_state(node, position)
    for each in body.node:
        rename_reads(each, outside)
    for output in body.output:
        output.name = outside.get(output.name, output.name)
    prune(body)


def _remove_state(node: OnnxNode, position: int) -> None:
    body = _body(node)
    del node.input[position + 2], body.input[position + 2], body.output[position + 1], node.output[position]


def _steps(scopes: list[OnnxGraph], node: OnnxNode) -> int | None:
    """Run the part of the loop that decides whether to go on. None: it depends on an input, or there is no end."""
    import numpy as np

    body = _body(node)
    states = {body.input[k].name: (node.input[k], body.output[k - 1].name) for k in range(2, len(node.input))}
    condition = body.output[0].name
    wanted = {condition}
    while True:
        part = needed_nodes(body.node, wanted)
        read = wanted.union(*(reads(each) for each in part))
        more = {states[name][1] for name in read if name in states} - wanted
        if not more:
            break
        wanted |= more
    carried = {name: states[name] for name in sorted(read) if name in states}
    around = captures(body) & read
    start = _constants(scopes, {*around, *(initial for initial, _ in carried.values()), *node.input[:2]} - {""})
    if start is None:
        return None
    number, goes_on = body.input[0].name, body.input[1].name
    step = _Program(part, {number, goes_on, *carried, *around}, wanted, [body])
    most = min(int(start[node.input[0]]), MOST_STEPS + 1) if node.input[0] else MOST_STEPS + 1
    go_on = bool(start[node.input[1]]) if node.input[1] else True
    now = {name: start[initial] for name, (initial, _) in carried.items()}
    steps = 0
    while go_on and steps < most:
        result = step.run({**start, **now, number: np.array(steps, np.int64), goes_on: np.array(True)})
        go_on = bool(result[condition])
        now = {name: result[returned] for name, (_, returned) in carried.items()}
        steps += 1
    return steps if steps <= MOST_STEPS else None


def _constants(scopes: list[OnnxGraph], names: set[str]) -> dict[str, Any] | None:
    """The values of tensors that the innermost graph sees, or None when one depends on an input."""
    nodes = needed_nodes([node for graph in scopes for node in graph.node], names)
    made = {name for node in nodes for name in node.output}
    weights = {tensor.name for graph in scopes for tensor in graph.initializer}
    if names.union(*(reads(node) for node in nodes)) - made - weights:
        return None
    return _Program(nodes, set(), names, scopes).run({})


class _Program:
    """Some nodes of a graph, run by ONNX's reference evaluator. `scopes` hold the weights that they read."""

    def __init__(self, nodes: list[OnnxNode], inputs: set[str], outputs: set[str], scopes: list[OnnxGraph]) -> None:
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        made = {name for node in nodes for name in node.output}
        read = outputs.union(*(reads(node) for node in nodes))
        weights = [tensor for graph in scopes for tensor in graph.initializer if tensor.name in read]
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in weights}
        self._passed = outputs - made  # inputs handed straight through
        self._made = sorted(outputs & made)
        self._given = sorted((inputs | set(self._constants)) & read)
        values = [helper.make_empty_tensor_value_info(name) for name in self._given]
        results = [helper.make_empty_tensor_value_info(name) for name in self._made]
        graph = helper.make_graph(nodes, "part", values, results)
        self._evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))

    def run(self, values: dict[str, Any]) -> dict[str, Any]:
        known = {**self._constants, **values}
        results = self._evaluator.run(self._made, {name: known[name] for name in self._given}) if self._made else []
        return {**dict(zip(self._made, results, strict=True)), **{name: known[name] for name in self._passed}}


def _count(graph: OnnxGraph, node: OnnxNode, steps: int) -> None:
    """Write the trip count down; the body says yes to whatever it is asked."""
    import numpy as np
    from onnx import helper, numpy_helper

    body = _body(node)
    count = f"{node.name}/steps"
    graph.initializer.append(numpy_helper.from_array(np.array(steps, np.int64), count))
    node.input[0], node.input[1] = count, ""
    on = body.output[0].name = f"{node.name}/goes-on"
    body.node.append(helper.make_node("Identity", [body.input[1].name], [on], name=on))
