"""Calls, branches and loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .elementwise import special
from .hlo import Value, Walker, handles, refuse, type_of


@handles("func.call")
def call(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    return walker.call(_symbol(operation, "callee"), operands)


@handles("stablehlo.composite")
def composite(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """An operator with a name, and what it is made of: taken whole where ONNX has it."""
    name = str(operation.attributes["name"]).strip('"')
    known = special(walker, name.removeprefix("chlo."), operands) if name.startswith("chlo.") else None
    return [known] if known is not None else walker.call(_symbol(operation, "decomposition"), operands)


def _symbol(operation: Any, name: str) -> str:
    return str(operation.attributes[name]).strip('@"')


@handles("stablehlo.while")
def loop(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """ONNX's Loop: the condition is asked before the first round, and at the end of each for the next."""
    outer = walker.known
    test, body = (region.blocks[0] for region in operation.regions)
    carried = [Value(walker.full(each), each.shape, each.dtype) for each in operands]
    begin = walker.block(test, carried, outer)[0]
    inner = walker.inner()
    prefix = inner.prefix
    inner.graph.input(f"{prefix}turn", np.int64, [])
    inner.graph.input(f"{prefix}go", np.bool_, [])
    state = [
        Value(inner.graph.input(f"{prefix}in{index}", each.dtype, each.shape), each.shape, each.dtype)
        for index, each in enumerate(carried)
    ]
    new = inner.block(body, state, outer)
    again = inner.block(test, new, outer)[0]
    _returns(inner, [again, *new])
    made = [walker.graph.fresh(walker.prefix + "looped") for _ in carried]
    inputs = ["", walker.full(begin), *(each.name for each in carried)]
    walker.graph.node("Loop", inputs, made, walker.label, body=inner.graph.build().graph)
    return [Value(name, each.shape, each.dtype) for name, each in zip(made, carried, strict=True)]


@handles("stablehlo.case", "stablehlo.if")
def branch(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Two branches: ONNX's If. `case` takes the first for 0, the last for everything that is not there."""
    blocks = [region.blocks[0] for region in operation.regions]
    if len(blocks) != 2:
        raise refuse(operation, f"with {len(blocks)} branches")
    chosen, outer = operands[0], walker.known
    if operation.name == "stablehlo.case":
        zero = walker.constant(np.zeros((), chosen.dtype))
        chosen = walker.node("Equal", [chosen.name, zero.name], (), np.bool_)
    graphs = []
    for block in blocks:
        inner = walker.inner()
        _returns(inner, inner.block(block, [], outer))
        graphs.append(inner.graph.build().graph)
    made = [walker.graph.fresh(walker.prefix + "chosen") for _ in operation.results]
    walker.graph.node("If", [chosen.name], made, walker.label, then_branch=graphs[0], else_branch=graphs[1])
    return [Value(name, *type_of(each)) for name, each in zip(made, operation.results, strict=True)]


def _returns(inner: Walker, values: Sequence[Value]) -> None:
    """Outputs of a graph within: values that the graph made itself, each under a name of its own."""
    for index, each in enumerate(values):
        name = inner.graph.node("Identity", [inner.full(each)], f"{inner.prefix}out{index}", "out")
        inner.graph.output(name, each.dtype, each.shape)


@handles("stablehlo.custom_call")
def custom(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    target = _symbol(operation, "call_target_name")
    if target in ("Sharding", "annotate_device_placement"):
        return list(operands)
    if target == "shape_assertion":
        return []
    del walker
    raise Refused(f"the program calls {target}, a routine of XLA's own", kind="unsupported", op=target)
