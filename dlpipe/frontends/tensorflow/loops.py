"""Loops with a fixed number of steps, written out: most compilers for devices have no Loop and no Scan.

Before:  Scan(state = s, inputs = x[T, ...]) { s, y = cell(s, x[t]) }
After:   s0 -> cell/t0 -> s1 -> cell/t1 -> ... -> sT,   x[t] = Gather(x, t),   y = Concat(y0 ... yT-1)

The number of steps of a Scan is the length of what it scans; that of a Loop is found by running its condition, where
that depends on constants only. Other loops stay. Nodes keep their names, with the step appended: `lstm/MatMul/t3`.

Values that a Loop hands round unchanged are read from outside instead. TensorFlow 2 loops carry the list they read from
that way; tf2onnx gives it no type, and ONNX Runtime refuses the model ("Invalid tensor data type 0").
"""

from dataclasses import dataclass, field
from typing import Any

from .onnx_graph import OnnxGraph, OnnxNode, captures, defined, needed_nodes, prune, rename_reads, replace

MOST_STEPS = 1024
MOST_NODES = 20_000


@dataclass
class Unrolled:
    name: str
    steps: int


@dataclass
class _Fixed:
    """A loop whose steps are known: values of the states that depend on constants only, at the start of each step."""

    steps: int
    values: list[dict[str, Any]] = field(default_factory=list)


def unroll(model: Any) -> list[Unrolled]:
    """Change `model` in place. Returns the loops that were written out."""
    graph = model.graph
    for node in graph.node:
        if node.op_type == "Loop":
            _hoist_invariants(node)
    done: list[Unrolled] = []
    while True:
        known = _lengths(model)
        for position, node in enumerate(graph.node):
            fixed = _fixed_scan(node, known) if node.op_type == "Scan" else None
            fixed = _fixed_loop(graph, node) if node.op_type == "Loop" else fixed
            if fixed is None or fixed.steps > MOST_STEPS or fixed.steps * len(_body(node).node) > MOST_NODES:
                continue
            written = _Writer(graph, node, fixed).nodes()
            done.append(Unrolled(node.name, fixed.steps))
            replace(graph.node, [*graph.node[:position], *written, *graph.node[position + 1 :]])
            break  # the next loop may read what this one made: infer shapes anew
        else:
            break
    prune(graph)
    return done


def _body(node: OnnxNode) -> OnnxGraph:
    return next(attribute.g for attribute in node.attribute if attribute.name == "body")


def _attribute(node: OnnxNode, name: str, default: Any) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def _hoist_invariants(node: OnnxNode) -> None:
    """State that every step returns as it got it becomes a capture of the outer tensor."""
    body = _body(node)
    made_by = {name: each for each in body.node for name in each.output}
    used = {value.name for value in body.output}
    outside: dict[str, str] = {}
    for position in reversed(range(len(node.input) - 2)):
        given, returned = body.input[position + 2].name, body.output[position + 1].name
        origin = returned
        while origin in made_by and made_by[origin].op_type == "Identity":
            origin = made_by[origin].input[0]
        outer = node.input[position + 2]
        read_later = (
            position < len(node.output) and node.output[position] and not node.output[position].startswith("unused")
        )
        if origin != given or outer in defined(body) or read_later:
            continue
        outside[given] = outer
        used.discard(returned)
        del node.input[position + 2], body.input[position + 2], body.output[position + 1], node.output[position]
    for each in body.node:
        rename_reads(each, outside)
    for output in body.output:
        output.name = outside.get(output.name, output.name)
    prune(body)


def _lengths(model: Any) -> dict[str, int]:
    """The first dim of every tensor for which it is fixed."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {tensor.name: tensor.dims[0] for tensor in inferred.initializer if tensor.dims}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        dims = value.type.tensor_type.shape.dim
        if dims and dims[0].HasField("dim_value"):
            found[value.name] = dims[0].dim_value
    return found


def _fixed_scan(node: OnnxNode, lengths: dict[str, int]) -> _Fixed | None:
    scanned = node.input[len(node.input) - _attribute(node, "num_scan_inputs", 0) :]
    axes = [*_attribute(node, "scan_input_axes", []), *_attribute(node, "scan_output_axes", [])]
    directions = [*_attribute(node, "scan_input_directions", []), *_attribute(node, "scan_output_directions", [])]
    if any(axes) or any(directions) or not scanned or any(name not in lengths for name in scanned):
        return None
    return _Fixed(lengths[scanned[0]])


def _fixed_loop(graph: OnnxGraph, node: OnnxNode) -> _Fixed | None:
    """Run the part of the loop that decides whether to go on."""
    import numpy as np

    body = _body(node)
    states = {body.input[k].name: (node.input[k], body.output[k - 1].name) for k in range(2, len(node.input))}
    condition = body.output[0].name
    wanted = {condition}
    while True:
        part = needed_nodes(body.node, wanted)
        read = {name for each in part for name in each.input} | wanted
        more = {states[name][1] for name in read if name in states} - wanted
        if not more:
            break
        wanted |= more
    carried = {name: states[name] for name in sorted(read) if name in states}
    outer = sorted((captures(body) & read) | {initial for initial, _ in carried.values()})
    start = _constants(graph, [*outer, *[name for name in node.input[:2] if name]])
    if start is None:
        return None
    step = _Program(
        part, [body.input[0].name, body.input[1].name, *carried, *(captures(body) & read)], sorted(wanted), body
    )
    most = min(int(start[node.input[0]]), MOST_STEPS + 1) if node.input[0] else MOST_STEPS + 1
    go_on = bool(start[node.input[1]]) if node.input[1] else True
    now = {name: start[initial] for name, (initial, _) in carried.items()}
    fixed = _Fixed(0)
    while go_on and fixed.steps < most:
        fixed.values.append(now)
        around = {name: start[name] for name in captures(body) & read}
        counters = {body.input[0].name: np.array(fixed.steps, np.int64), body.input[1].name: np.array(True)}
        result = step.run({**around, **now, **counters})
        go_on = bool(result[condition])
        now = {name: result[returned] for name, (_, returned) in carried.items()}
        fixed.steps += 1
    fixed.values.append(now)
    return fixed


def _constants(graph: OnnxGraph, names: list[str]) -> dict[str, Any] | None:
    """The values of tensors of the top graph, or None when one depends on an input."""
    nodes = needed_nodes(graph.node, names)
    made = {name for node in nodes for name in node.output}
    weights = {tensor.name for tensor in graph.initializer}
    read = {name for node in nodes for name in node.input if name} | set(names)
    if read - made - weights:
        return None
    return _Program(nodes, [], sorted(set(names)), graph).run({})


class _Program:
    """Some nodes of a graph, run by ONNX's reference evaluator."""

    def __init__(self, nodes: list[OnnxNode], inputs: list[str], outputs: list[str], around: OnnxGraph) -> None:
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        made = {name for node in nodes for name in node.output}
        read = {name for node in nodes for name in node.input} | set(outputs)
        self._constants = {t.name: numpy_helper.to_array(t) for t in around.initializer if t.name in read}
        self._passed = [name for name in outputs if name not in made]  # inputs handed straight through
        self._made = [name for name in outputs if name in made]
        given = sorted((set(inputs) | set(self._constants)) & read)
        values = [helper.make_empty_tensor_value_info(name) for name in given]
        results = [helper.make_empty_tensor_value_info(name) for name in self._made]
        graph = helper.make_graph(nodes, "part", values, results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        self._given = given
        self._evaluator = ReferenceEvaluator(model)

    def run(self, values: dict[str, Any]) -> dict[str, Any]:
        known = {**self._constants, **values}
        results = self._evaluator.run(self._made, {name: known[name] for name in self._given}) if self._made else []
        return {**dict(zip(self._made, results, strict=True)), **{name: known[name] for name in self._passed}}


class _Writer:
    """Writes a loop of `fixed` steps out as nodes of the graph around it."""

    def __init__(self, graph: OnnxGraph, node: OnnxNode, fixed: _Fixed) -> None:
        self._graph = graph
        self._node = node
        self._body = _body(node)
        self._fixed = fixed
        self._scan = node.op_type == "Scan"
        scanned = _attribute(node, "num_scan_inputs", 0) if self._scan else 0
        first = 0 if self._scan else 2
        self._states = [value.name for value in self._body.input[first : len(node.input) - scanned]]
        self._scanned = [value.name for value in self._body.input[len(node.input) - scanned :]] if scanned else []
        self._initial = list(node.input[first : len(node.input) - scanned])
        self._sources = list(node.input[len(node.input) - scanned :]) if scanned else []
        returned = [value.name for value in self._body.output[0 if self._scan else 1 :]]
        self._returned, self._collected = returned[: len(self._states)], returned[len(self._states) :]

    def nodes(self) -> list[OnnxNode]:
        from onnx import helper

        shared = {tensor.name: self._share(tensor) for tensor in self._body.initializer}
        states = list(self._initial)
        rows: list[list[str]] = [[] for _ in self._collected]
        written: list[OnnxNode] = []
        for step in range(self._fixed.steps):
            names = dict(shared)
            names.update(zip(self._states, states, strict=True))
            names.update(self._known(step))
            names.update(self._slices(step, written))
            for node in self._body.node:
                written.append(self._copy(node, names, step))
            states = [names.get(name, name) for name in self._returned]
            for row, name in zip(rows, self._collected, strict=True):
                row.append(names.get(name, name))
        for output, state in zip(self._node.output, states, strict=False):
            if output:
                written.append(helper.make_node("Identity", [state], [output], name=f"{self._node.name}/{output}"))
        for output, row in zip(self._node.output[len(states) :], rows, strict=True):
            if output:
                written += self._stack(row, output)
        return written

    def _share(self, tensor: Any) -> str:
        """A weight of the body becomes one of the graph."""
        name = f"{self._node.name}/{tensor.name}"
        copy = self._graph.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = name
        return name

    def _known(self, step: int) -> dict[str, str]:
        """The step's number, and the states whose values are known, as constants."""
        import numpy as np

        values = dict(self._fixed.values[step]) if self._fixed.values else {}
        if not self._scan:
            values[self._body.input[0].name] = np.array(step, np.int64)
            values[self._body.input[1].name] = np.array(True)
        return {name: self._constant(f"{name}/t{step}", value) for name, value in values.items()}

    def _constant(self, name: str, value: Any) -> str:
        import numpy as np
        from onnx import numpy_helper

        name = f"{self._node.name}/{name}"
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _slices(self, step: int, written: list[OnnxNode]) -> dict[str, str]:
        import numpy as np
        from onnx import helper

        names = {}
        for inner, source in zip(self._scanned, self._sources, strict=True):
            index = self._constant(f"{inner}/index{step}", np.array(step, np.int64))
            name = f"{inner}/t{step}"
            written.append(helper.make_node("Gather", [source, index], [name], name=name, axis=0))
            names[inner] = name
        return names

    def _copy(self, node: OnnxNode, names: dict[str, str], step: int) -> OnnxNode:
        copy = type(node)()
        copy.CopyFrom(node)
        copy.name = f"{node.name}/t{step}"
        rename_reads(copy, names)
        for position, name in enumerate(copy.output):
            if name:
                names[name] = f"{name}/t{step}"
                copy.output[position] = names[name]
        return copy

    def _stack(self, row: list[str], output: str) -> list[OnnxNode]:
        import numpy as np
        from onnx import helper

        axes = self._constant(f"{output}/axes", np.array([0], np.int64))
        lifted = [f"{output}/row{step}" for step in range(len(row))]
        nodes = [
            helper.make_node("Unsqueeze", [name, axes], [row_name], name=row_name)
            for name, row_name in zip(row, lifted, strict=True)
        ]
        return [*nodes, helper.make_node("Concat", lifted, [output], name=f"{self._node.name}/{output}", axis=0)]
