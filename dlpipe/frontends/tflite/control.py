"""Branches and loops: a subgraph of the file becomes a graph inside the node."""

from __future__ import annotations

from collections.abc import Sequence

from ..kit.emit import Graph
from ..kit.flatbuffer import damaged
from .handlers import handles
from .reading import Operator, Subgraph
from .scope import Scope
from .weights import numpy_dtype

MAX_DEPTH = 16  # of graphs within graphs


@handles("IF")
def if_(scope: Scope, op: Operator) -> None:
    """Inputs: the condition, then what both branches take."""
    name = scope.name(op.outputs[0])
    given = [scope.stored(index) for index in op.inputs[1:]]
    branches = {}
    for key, attribute in (("then", "then_branch"), ("else", "else_branch")):
        subgraph = _subgraph(scope, op, int(op.options[key]))
        inner = scope.graph.nested(f"{name}__{key}")
        branch = inside(scope, op, subgraph, inner, given)
        for value, index in zip(_results(scope, op, branch, inner), subgraph.outputs, strict=True):
            _declare(branch, inner, value, index)
        branches[attribute] = inner.proto()
    made = [scope.graph.fresh(f"{name}__out") for _ in op.outputs]
    scope.graph.node("If", [scope.stored(op.inputs[0])], made, name=name, **branches)
    for index, value in zip(op.outputs, made, strict=True):
        scope.result(index, "Identity", [value])


@handles("WHILE")
def while_(scope: Scope, op: Operator) -> None:
    """The state goes through the body as long as the condition, asked first, holds of it."""
    name = scope.name(op.outputs[0]) if op.outputs else "while"
    cond, body = (_subgraph(scope, op, int(op.options[key])) for key in ("cond", "body"))
    if not len(op.inputs) == len(op.outputs) == len(cond.inputs) == len(body.inputs) == len(body.outputs):
        raise damaged(f"the loop {name!r} has a state of several sizes")
    if len(cond.outputs) != 1:
        raise damaged(f"the condition of the loop {name!r} has {len(cond.outputs)} outputs")
    start = [scope.stored(index) for index in op.inputs]
    first = inside(scope, op, cond, scope.graph, start)
    inner = scope.graph.nested(f"{name}__body")
    inner.input(inner.fresh(f"{name}__step"), "int64", [])
    inner.input(inner.fresh(f"{name}__going"), "bool", [])
    state = []
    for index in body.inputs:
        tensor = body.tensors[index]
        value = inner.fresh(tensor.name)
        inner.input(value, numpy_dtype(tensor.dtype), _dims(tensor.shape, value))
        state.append(value)
    step = inside(scope, op, body, inner, state)
    after = _results(scope, op, step, inner)
    asked = inside(scope, op, cond, inner, after)
    _declare(
        asked, inner, inner.node("Identity", [asked.stored(cond.outputs[0])], name=f"{name}__cond"), cond.outputs[0]
    )
    for value, index in zip(after, body.outputs, strict=True):
        _declare(step, inner, value, index)
    made = [scope.graph.fresh(f"{name}__out") for _ in op.outputs]
    scope.graph.node("Loop", ["", first.stored(cond.outputs[0]), *start], made, name=name, body=inner.proto())
    for index, value in zip(op.outputs, made, strict=True):
        scope.result(index, "Identity", [value])


@handles("CALL", "STABLEHLO_COMPOSITE")
def call(scope: Scope, op: Operator) -> None:
    """A composite names an operator of its own, and the graph that computes it."""
    subgraph = _subgraph(scope, op, int(op.options["subgraph"]))
    called = inside(scope, op, subgraph, scope.graph, [scope.stored(index) for index in op.inputs])
    for index, value in zip(op.outputs, subgraph.outputs, strict=True):
        scope.result(index, "Identity", [called.stored(value)])


def inside(scope: Scope, op: Operator, subgraph: Subgraph, graph: Graph, given: Sequence[str]) -> Scope:
    """The subgraph written into the graph, with its inputs bound to the values given."""
    if scope.depth >= MAX_DEPTH:
        raise damaged(f"its graphs call one another more than {MAX_DEPTH} deep")
    if len(given) != len(subgraph.inputs):
        raise damaged(
            f"operator {op.index}, {op.op}, gives {len(given)} values to a graph that takes {len(subgraph.inputs)}"
        )
    within = Scope(scope.model, subgraph, graph, scope.whole, scope.depth + 1)
    for index, value in zip(subgraph.inputs, given, strict=True):
        within.bind(index, value)
    from .writing import write

    write(within)
    return within


def _subgraph(scope: Scope, op: Operator, index: int) -> Subgraph:
    if not 0 < index < len(scope.model.subgraphs):
        raise damaged(f"operator {op.index}, {op.op}, calls the graph {index} of {len(scope.model.subgraphs)}")
    return scope.model.subgraphs[index]


def _results(scope: Scope, op: Operator, within: Scope, graph: Graph) -> list[str]:
    """Values of this graph itself: ONNX has no output that is an input, or of a graph outside."""
    if len(within.subgraph.outputs) != len(op.outputs):
        raise damaged(
            f"operator {op.index}, {op.op}, has {len(op.outputs)} outputs, its graph {len(within.subgraph.outputs)}"
        )
    return [
        graph.node("Identity", [within.stored(index)], name=f"{scope.name(op.outputs[0])}__result")
        for index in within.subgraph.outputs
    ]


def _declare(within: Scope, graph: Graph, value: str, index: int) -> None:
    tensor = within.tensor(index)
    graph.output(value, numpy_dtype(tensor.dtype), _dims(tensor.shape, value))


def _dims(shape: Sequence[int | None], name: str) -> list[int | str]:
    return [f"{name}_{axis}" if dim is None else dim for axis, dim in enumerate(shape)]
