"""Fully connected layers and matrix products."""

from __future__ import annotations

import numpy as np

from ..step import Step, layer
from .activating import activated
from .quantising import data, weights


@layer("InnerProduct")
def _inner_product(step: Step) -> None:
    """Of a matrix whose rows are as long as the weights: row by row. Of anything else: of all its numbers."""
    step.expect()
    outputs, bias, size, int8 = (step.layer.integer(number) for number in (0, 1, 2, 8))
    if outputs < 1 or size < 1 or size % outputs:
        step.fail(f"{size:,} weights are not those of {outputs} outputs")
    array = step.weight(outputs, size // outputs)
    offset = step.floats(outputs) if bias else None
    scales = {"weight": step.floats(outputs), "data": step.floats(1)} if int8 else {}
    value, shape = step.value, step.shape()
    by_row = len(shape) == 2 and shape[1] == size // outputs
    if not by_row and len(shape) > 1:
        count = 1
        for dim in shape:
            count *= step.size(dim)
        if count != size // outputs:
            step.fail(f"it has weights for {size // outputs:,} numbers and is given {count:,}")
        value = step.node("Flatten", [value], axis=1)
    matrix = weights(step, array, scales)
    value = data(step, value, scales)
    if by_row:
        made = step.node("MatMul", [value, step.node("Transpose", [matrix], perm=[1, 0])])
        if offset is not None:
            made = step.node("Add", [made, step.constant(offset, "bias")])
    else:
        made = step.node("Gemm", [value, matrix, *([step.constant(offset, "bias")] if bias else [])], transB=1)
    step.name_top(activated(step, made))


@layer("MatMul")
def _matmul(step: Step) -> None:
    step.expect(2)
    one, other = step.inputs
    ranks = step.rank(value=one), step.rank(value=other)
    if min(ranks) < 2 or ranks[0] != ranks[1]:
        step.unsupported(f"it multiplies blobs of {ranks[0]} and {ranks[1]} axes")
    if step.layer.integer(0):
        step.rank(2, 3, value=other)
        other = step.node("Transpose", [other], perm=[0, 2, 1] if ranks[1] == 2 else [0, 1, 3, 2])
    step.out("MatMul", [one, other])


@layer("Gemm", limits="its first matrix is a blob; no output in another layout")
def _gemm(step: Step) -> None:
    real, integer = step.layer.real, step.layer.integer
    alpha, beta, turned_a, turned_b = real(0, 1.0), real(1, 1.0), integer(2), integer(3)
    if integer(4) or integer(11) or integer(14) or integer(18):
        step.unsupported("its first matrix is constant, or its output is turned or int8")
    for tiling in (12, 13, 20, 21, 22):
        integer(tiling)
    fixed_b, fixed_c, (_, columns, inner) = integer(5), integer(6), (integer(7), integer(8), integer(9))
    kind = integer(10)
    step.rank(2)
    values = list(step.inputs)
    first = step.node("Transpose", [values[0]], perm=[0, 2, 1]) if turned_a else values[0]
    del values[0]
    if fixed_b:
        array = step.weight(columns, inner) if turned_b else step.weight(inner, columns)
        second = step.constant((array.T if turned_b else array).astype(np.float32), "weight")
    else:
        if not values or step.rank(value=values[0]) != 2:
            step.unsupported("its second matrix is not there")
        second = step.node("Transpose", [values[0]], perm=[0, 2, 1]) if turned_b else values[0]
        del values[0]
    made = step.node("MatMul", [first, second])
    if fixed_c and kind != -1:
        shapes = {0: (1,), 1: (integer(7), 1), 2: (integer(7), 1), 3: (integer(7), columns), 4: (1, columns)}
        if kind not in shapes:
            step.unsupported(f"its constant is of the kind {kind}")
        offset = step.weight(*shapes[kind]) * np.float32(beta)
        made = step.node("Add", [made, step.constant(offset, "offset")])
    elif values:
        step.unsupported("what it adds is a blob")
    step.name_top(made if alpha == 1 else step.node("Mul", [made, step.number(alpha, "alpha")]))
