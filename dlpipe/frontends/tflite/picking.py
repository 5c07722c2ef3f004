"""Elements taken, or put, by index or by condition."""

from __future__ import annotations

import numpy as np

from .handlers import handles
from .reading import Operator
from .scope import INT64, Scope, element


@handles("GATHER", note="batch dims only where they end at the axis")
def gather(scope: Scope, op: Operator) -> None:
    data, indices = op.inputs[0], op.inputs[1]
    rank, name = scope.rank(data), scope.name(op.outputs[0])
    axis, batch = int(op.options["axis"]) % max(rank, 1), int(op.options["batch_dims"])
    if batch < 0:
        batch += scope.rank(indices)
    if not batch:
        scope.result(op.outputs[0], "Gather", [scope.stored(data), scope.stored(indices)], axis=axis)
        return
    if axis != batch:
        raise op.refuse(f"has {batch} batch dims and the axis {axis}")
    last = scope.node(
        "Unsqueeze", [scope.ints(indices, f"{name}__indices"), scope.const([-1], f"{name}__axis", "int64")], name
    )
    scope.result(op.outputs[0], "GatherND", [scope.stored(data), last], batch_dims=batch)


@handles("EMBEDDING_LOOKUP")
def embedding_lookup(scope: Scope, op: Operator) -> None:
    """Inputs: indices, rows."""
    if scope.quantisation(op.inputs[1]) and scope.quantisation(op.outputs[0]) is None:
        value = scope.real(op.inputs[1])
        scope.result(op.outputs[0], "Gather", [value, scope.stored(op.inputs[0])], axis=0)
    else:
        scope.result(op.outputs[0], "Gather", [scope.stored(op.inputs[1]), scope.stored(op.inputs[0])], axis=0)


@handles("GATHER_ND")
def gather_nd(scope: Scope, op: Operator) -> None:
    indices = scope.ints(op.inputs[1], f"{scope.name(op.outputs[0])}__indices")
    scope.result(op.outputs[0], "GatherND", [scope.stored(op.inputs[0]), indices])


@handles("SCATTER_ND")
def scatter_nd(scope: Scope, op: Operator) -> None:
    """Inputs: indices, updates, shape. Updates of the same place are added up."""
    name, dtype = scope.name(op.outputs[0]), scope.tensor(op.outputs[0]).dtype
    shape = scope.ints(op.inputs[2], f"{name}__shape")
    zeros = scope.node("Expand", [scope.const(0, f"{name}__zero", dtype), shape], name)
    indices = scope.ints(op.inputs[0], f"{name}__indices")
    scope.result(op.outputs[0], "ScatterND", [zeros, indices, scope.stored(op.inputs[1])], reduction="add")


@handles("ONE_HOT")
def one_hot(scope: Scope, op: Operator) -> None:
    """Inputs: indices, depth, on, off. An index that is out of range gives a row of `off`; ONNX counts negative ones
    from the end, so they are moved out of range first."""
    name = scope.name(op.outputs[0])
    indices, depth = (scope.ints(index, f"{name}__in") for index in op.inputs[:2])
    negative = scope.node("Less", [indices, scope.const(0, f"{name}__zero", "int64")], name)
    indices = scope.node("Where", [negative, depth, indices], name)
    ones = scope.const([1], f"{name}__one", "int64")
    values = scope.node(
        "Concat",
        [scope.node("Reshape", [scope.stored(index), ones], name) for index in (op.inputs[3], op.inputs[2])],
        name,
        axis=0,
    )
    scope.result(
        op.outputs[0],
        "OneHot",
        [indices, scope.node("Reshape", [depth, ones], name), values],
        axis=int(op.options["axis"]),
    )


@handles("SELECT")
def select(scope: Scope, op: Operator) -> None:
    """A condition of rank 1 picks whole rows."""
    name, condition = scope.name(op.outputs[0]), scope.stored(op.inputs[0])
    rank = scope.rank(op.inputs[1])
    if scope.rank(op.inputs[0]) == 1 and rank > 1:
        axes = scope.const(range(1, rank), f"{name}__axes", "int64")
        condition = scope.node("Unsqueeze", [condition, axes], name)
    scope.result(op.outputs[0], "Where", [condition, scope.real(op.inputs[1]), scope.real(op.inputs[2])], real=True)


@handles("SELECT_V2")
def select_v2(scope: Scope, op: Operator) -> None:
    values = [scope.stored(op.inputs[0]), scope.real(op.inputs[1]), scope.real(op.inputs[2])]
    scope.result(op.outputs[0], "Where", values, real=True)


@handles("WHERE")
def where(scope: Scope, op: Operator) -> None:
    """The indices of what is not zero, one a row."""
    found = scope.node("NonZero", [scope.stored(op.inputs[0])], scope.name(op.outputs[0]))
    scope.result(op.outputs[0], "Transpose", [found], perm=[1, 0])


@handles("UNIQUE")
def unique(scope: Scope, op: Operator) -> None:
    """In the order of their first appearance, and where each element is found among them."""
    name = scope.name(op.outputs[0])
    made = [scope.graph.fresh(f"{name}__{each}") for each in ("values", "first", "where")]
    scope.graph.node("Unique", [scope.stored(op.inputs[0])], made, name=name, sorted=0)
    scope.result(op.outputs[0], "Identity", [made[0]])
    to = element(scope.tensor(op.outputs[1]).dtype)
    scope.result(op.outputs[1], "Identity" if to == INT64 else "Cast", [made[2]], to=to if to != INT64 else None)


@handles("MATRIX_DIAG")
def matrix_diag(scope: Scope, op: Operator) -> None:
    """The last dim becomes the diagonal of a matrix."""
    name, size = scope.name(op.outputs[0]), scope.shape(op, op.inputs[0])[-1]
    scope.small(op, size * size)
    rows = scope.node("Unsqueeze", [scope.real(op.inputs[0]), scope.const([-1], f"{name}__axis", "int64")], name)
    unit = scope.const(np.eye(size), f"{name}__unit", scope.tensor(op.outputs[0]).dtype)
    scope.result(op.outputs[0], "Mul", [rows, unit], real=True)
