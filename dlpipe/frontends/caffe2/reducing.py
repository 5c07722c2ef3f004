"""Reductions, and what picks the largest."""

from __future__ import annotations

import numpy as np

from .converter import Converter
from .nets import Operator
from .table import converts

_REDUCTIONS = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2")


@converts(*_REDUCTIONS)
def _reduce(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    axes = op.args.integers("axes") or list(range(converter.rank(x)))
    keeps = op.args.integer("keepdims", 1)
    converter.finish(op, op.type, [x, converter.constant(op, axes, np.int64)], keepdims=keeps)


@converts(
    *(f"Reduce{side}{kind}" for side in ("Front", "Back") for kind in ("Sum", "Mean", "Max")),
    note="without the second input (lengths)",
)
def _reduce_side(converter: Converter, op: Operator) -> None:
    if len(op.inputs) > 1:
        raise converter.unsupported(op, "a reduction with lengths")
    x = converter.value(op, 0)
    rank = converter.rank(x)
    count = op.args.integer("num_reduce_dims", op.args.integer("num_reduce_dim", 1))
    if not 0 < count <= rank:
        raise converter.bad(op, f"reduces {count} of {rank} dims")
    front = op.type.startswith("ReduceFront")
    axes = list(range(count)) if front else list(range(rank - count, rank))
    kind = "Reduce" + op.type[len("ReduceFront") if front else len("ReduceBack") :]
    converter.finish(op, kind, [x, converter.constant(op, axes, np.int64)], keepdims=0)


@converts("RowwiseMax", "ColwiseMax")
def _matrix_max(converter: Converter, op: Operator) -> None:
    axis = -1 if op.type == "RowwiseMax" else -2
    converter.finish(op, "ReduceMax", [converter.value(op, 0), converter.constant(op, [axis], np.int64)], keepdims=0)


@converts("SumElements", "SumSqrElements")
def _total(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    kind = "ReduceSumSquare" if op.type == "SumSqrElements" else "ReduceSum"
    axes = converter.constant(op, list(range(converter.rank(x))), np.int64)
    if op.args.integer("average"):
        kind = "ReduceMean"
        if op.type == "SumSqrElements":
            x = converter.emit(op, "Mul", [x, x])
    converter.finish(op, kind, [x, axes], keepdims=0)


@converts("ArgMax", "ArgMin")
def _place(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    axis = converter.axis(op, x, op.args.integer("axis", -1))
    converter.finish(op, op.type, [x], axis=axis, keepdims=op.args.integer("keepdims", 1))


@converts("TopK", note="the third output (flat places) is not made")
def _top(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    count = op.args.integer("k") if len(op.inputs) < 2 else int(converter.array(op, 1).flat[0])
    axis = converter.axis(op, x, op.args.integer("axis", -1))
    label, names = converter.label(op), list(op.outputs[:2])
    if len(names) < 2:
        raise IndexError
    converter.graph.node("TopK", [x, converter.constant(op, [count], np.int64)], names, label, axis=axis)
    converter.values.update({name: name for name in names})


@converts("OneHot")
def _one_hot(converter: Converter, op: Operator) -> None:
    places = converter.value(op, 0)
    size = converter.constant(op, int(converter.array(op, 1).flat[0]), np.int64)
    numbers = converter.emit(op, "OneHot", [places, size, converter.constant(op, [0, 1], np.float32)], axis=-1)
    converter.finish(op, "Cast", [numbers], to=9)
