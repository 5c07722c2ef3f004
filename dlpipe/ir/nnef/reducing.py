"""Reductions, and what is built of them. NNEF keeps the reduced dims, with size one."""

from __future__ import annotations

import math
from typing import Any

from .table import writes
from .text import Text

_REDUCE = {
    "ReduceSum": "sum_reduce", "ReduceMean": "mean_reduce", "ReduceMax": "max_reduce", "ReduceMin": "min_reduce",
    "ReduceL1": "sum_reduce", "ReduceL2": "sum_reduce", "ReduceSumSquare": "sum_reduce",
}  # fmt: skip


def _axes(text: Text, given: dict[str, Any]) -> list[int]:
    rank = text.rank(text.input(0))
    found = text.ints(given["axes"], 1)
    if not found and given["noop_with_empty_axes"]:
        return []
    return sorted(each % rank for each in found) if found else list(range(rank))


@writes(*_REDUCE)
def _reduce(text: Text) -> None:
    given = text.attributes(axes=None, keepdims=1, noop_with_empty_axes=0)
    axes, op, to = _axes(text, given), text.node.op_type, text.node.output[0]
    value = text.tensor(text.input(0))
    if op == "ReduceL1":
        value = text.call("abs", value)
    if op in ("ReduceL2", "ReduceSumSquare"):
        value = text.call("sqr", value)
    root = op == "ReduceL2"
    shape = None if given["keepdims"] else text.shape(to)
    last = not root and shape is None
    made = text.call(_REDUCE[op], value, axes=axes, to=to if last else None)
    if root:
        made = text.call("sqrt", made, to=to if shape is None else None)
    if shape is not None:
        text.call("reshape", made, shape=shape, to=to)


@writes("ArgMax", "ArgMin")
def _index(text: Text) -> None:
    given = text.attributes(axis=0, keepdims=1, select_last_index=0)
    if given["select_last_index"]:
        text.fail("the last position of an extreme")
    axis, to = given["axis"] % text.rank(text.input(0)), text.node.output[0]
    op = "argmax_reduce" if text.node.op_type == "ArgMax" else "argmin_reduce"
    made = text.call(op, text.tensor(text.input(0)), axes=[axis], to=to if given["keepdims"] else None)
    if not given["keepdims"]:
        text.call("reshape", made, shape=text.shape(to), to=to)


@writes("Softmax", "LogSoftmax")
def _softmax(text: Text) -> None:
    """Before opset 13 along all dims from the axis on."""
    old, rank = text.model.opset < 13, text.rank(text.input(0))
    axis = text.attributes(axis=1 if old else -1)["axis"] % rank
    axes = [axis]
    if old:
        shape = text.shape(text.input(0))
        axes = [each for each in range(axis, rank) if shape[each] != 1] or [axis]
    value, to = text.tensor(text.input(0)), text.node.output[0]
    if text.node.op_type == "Softmax":
        text.call("softmax", value, axes=axes, to=to)
        return
    below = text.call("sub", value, text.call("max_reduce", value, axes=axes))
    total = text.call("sum_reduce", text.call("exp", below), axes=axes)
    text.call("sub", below, text.call("log", total), to=to)


@writes("LpNormalization")
def _normalisation(text: Text) -> None:
    given = text.attributes(axis=-1, p=2)
    op = "l2_normalization" if given["p"] == 2 else "l1_normalization"
    axis = given["axis"] % text.rank(text.input(0))
    text.call(op, text.tensor(text.input(0)), axes=[axis], to=text.node.output[0])


@writes("InstanceNormalization", "LayerNormalization")
def _centred(text: Text) -> None:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset."""
    rank = text.rank(text.input(0))
    layer = text.node.op_type == "LayerNormalization"
    given = text.attributes(axis=-1, epsilon=1e-5, stash_type=1) if layer else text.attributes(epsilon=1e-5)
    if text.more_outputs():
        text.fail("the statistics of a normalisation")
    axes = list(range(given["axis"] % rank, rank)) if layer else list(range(2, rank))
    value = text.tensor(text.input(0))
    centred = text.call("sub", value, text.call("mean_reduce", value, axes=axes))
    variance = text.call("mean_reduce", text.call("sqr", centred), axes=axes)
    spread = text.call("sqrt", text.call("add", variance, float(given["epsilon"])))
    made = text.call("div", centred, spread)
    parts = [each for each in text.node.input[1:] if each]
    for index, (op, name) in enumerate(zip(("mul", "add"), parts, strict=False)):
        vector = text.operand(name, rank) if layer else text.tensor(name, [1, math.prod(text.shape(name))])
        made = text.call(op, made, vector, to=text.node.output[0] if index == len(parts) - 1 else None)
    if not parts:
        text.call("copy", made, to=text.node.output[0])
