"""Operators whose inputs are all constants: MNN's converter leaves arithmetic on shapes in the file."""

from __future__ import annotations

import math
from typing import Any

from onnx.reference import ReferenceEvaluator

from ..kit.shaped import ShapedGraph
from .reading import Op
from .step import Handler, Step

_MOST = 1 << 16  # numbers
# By numpy and onnx where an operator does not fit its constants.
_RAISED = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)


def can_fold(graph: ShapedGraph, op: Op, values: dict[int, str]) -> bool:
    arrays = [graph.array(values[each]) if each in values else None for each in op.inputs]
    return bool(arrays) and all(each is not None and each.size <= _MOST for each in arrays)


def fold(graph: ShapedGraph, op: Op, handler: Handler, values: dict[int, str], formats: dict[int, int]) -> list[Any]:
    """The arrays of the outputs: the handler writes into a graph of its own, and that is computed."""
    inner = ShapedGraph("folded")
    given = {each: inner.constant(graph.array(values[each]), f"input {index}") for index, each in enumerate(op.inputs)}
    step = Step(inner, op, given, formats, [f"output {index}" for index in range(len(op.outputs))])
    handler(step)
    for each in op.outputs:
        shape = inner.shape(given[each]) if each in given else None
        sizes = [dim for dim in shape or () if isinstance(dim, int)]
        if shape is None or len(sizes) != len(shape) or math.prod(sizes) > _MOST:
            op.fail("it makes a constant of unknown or great size", "unsupported")
        inner.output(inner.node("Identity", [given[each]]), inner.dtype(given[each]) or "float32", sizes)
    try:
        return list(ReferenceEvaluator(inner.build()).run(None, {}))
    except _RAISED as error:
        op.fail(f"it cannot be computed ({type(error).__name__})")
