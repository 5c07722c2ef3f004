"""Reductions over axes, and positions of the largest."""

from __future__ import annotations

from functools import partial

import numpy as np

from .handlers import handles
from .reading import Operator
from .scope import INT64, NCHW_AXIS, Scope, element

_INT32 = 6
_BOOL = 9
_REDUCTIONS = {
    "MEAN": "ReduceMean",
    "SUM": "ReduceSum",
    "REDUCE_PROD": "ReduceProd",
    "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin",
}


def _axes(scope: Scope, op: Operator) -> list[int]:
    rank = scope.rank(op.inputs[0])
    axes = sorted({int(each) + rank if each < 0 else int(each) for each in np.ravel(scope.constant(op, 1))})
    if any(not 0 <= axis < rank for axis in axes):
        raise op.refuse(f"is over the axes {axes} of a tensor of rank {rank}")
    return axes


def _reduce(onnx_op: str, scope: Scope, op: Operator) -> None:
    axes, name, keep = _axes(scope, op), scope.name(op.outputs[0]), bool(op.options["keep_dims"])
    if not axes:
        scope.result(op.outputs[0], "Identity", [scope.real(op.inputs[0])], real=True)
        return
    nchw = scope.prefers_nchw(op.inputs[0]) and (keep or axes == [1, 2])  # then [N, C] is left either way
    over = [NCHW_AXIS[axis] for axis in axes] if nchw else axes
    inputs = [scope.real(op.inputs[0], nchw), scope.const(over, f"{name}__axes", "int64")]
    scope.result(op.outputs[0], onnx_op, inputs, real=True, nchw=nchw and keep, keepdims=int(keep))


for _name, _onnx in _REDUCTIONS.items():
    handles(_name)(partial(_reduce, _onnx))


def _logical(onnx_op: str, scope: Scope, op: Operator) -> None:
    """ONNX reduces no truth values before opset 20."""
    name = scope.name(op.outputs[0])
    axes = scope.const(_axes(scope, op), f"{name}__axes", "int64")
    numbers = scope.node("Cast", [scope.stored(op.inputs[0])], name, to=_INT32)
    reduced = scope.node(onnx_op, [numbers, axes], name, keepdims=int(op.options["keep_dims"]))
    scope.result(op.outputs[0], "Cast", [reduced], to=_BOOL)


handles("REDUCE_ANY")(partial(_logical, "ReduceMax"))
handles("REDUCE_ALL")(partial(_logical, "ReduceMin"))


def _arg(onnx_op: str, scope: Scope, op: Operator) -> None:
    """The first of equals, as in ONNX."""
    (axis,), rank = np.ravel(scope.constant(op, 1)).tolist(), scope.rank(op.inputs[0])
    nchw = scope.prefers_nchw(op.inputs[0]) and int(axis) % rank == 3
    found = scope.node(
        onnx_op, [scope.real(op.inputs[0], nchw)], scope.name(op.outputs[0]), axis=1 if nchw else int(axis), keepdims=0
    )
    _as_type(scope, op.outputs[0], found)


handles("ARG_MAX")(partial(_arg, "ArgMax"))
handles("ARG_MIN")(partial(_arg, "ArgMin"))


@handles("TOPK_V2")
def top_k(scope: Scope, op: Operator) -> None:
    """Of the last dim, sorted; of equals the first."""
    name = scope.name(op.outputs[0])
    count = scope.node(
        "Reshape", [scope.ints(op.inputs[1], f"{name}__k"), scope.const([1], f"{name}__one", "int64")], name
    )
    values, indices = scope.graph.fresh(f"{name}__values"), scope.graph.fresh(f"{name}__indices")
    scope.graph.node("TopK", [scope.real(op.inputs[0]), count], [values, indices], name=name, axis=-1)
    scope.result(op.outputs[0], "Identity", [values], real=True)
    _as_type(scope, op.outputs[1], indices)


@handles("CUMSUM")
def cumsum(scope: Scope, op: Operator) -> None:
    axis = scope.const(int(np.ravel(scope.constant(op, 1))[0]), "axis", "int64")
    exclusive, reverse = int(op.options["exclusive"]), int(op.options["reverse"])
    scope.result(
        op.outputs[0], "CumSum", [scope.real(op.inputs[0]), axis], real=True, exclusive=exclusive, reverse=reverse
    )


def _as_type(scope: Scope, index: int, value: str) -> None:
    """An int64 value as a tensor of the file's type."""
    to = element(scope.tensor(index).dtype)
    if to == INT64:
        scope.result(index, "Identity", [value])
    else:
        scope.result(index, "Cast", [value], to=to)
