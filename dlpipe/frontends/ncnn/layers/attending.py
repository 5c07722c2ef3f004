"""Attention with several heads."""

from __future__ import annotations

import math

import numpy as np

from ..step import Step, layer


@layer("MultiHeadAttention", limits="no mask, no cache, no int8")
def _attention(step: Step) -> None:
    """Blobs: query, and key and value where they are others; each [positions, features]."""
    layer_ = step.layer
    width, heads, size = layer_.integer(0), layer_.integer(1, 1), layer_.integer(2)
    keys, values = layer_.integer(3, width), layer_.integer(4, width)
    if layer_.integer(5) or layer_.integer(7) or layer_.integer(18):
        step.unsupported("it has a mask, a cache or int8 weights")
    if not 1 <= len(step.inputs) <= 3:
        step.unsupported(f"it reads {len(step.inputs)} blobs")
    if width < 1 or heads < 1 or width % heads or size % width:
        step.fail(f"{width} features in {heads} heads, {size:,} weights")
    queries = size // width
    scale = layer_.real(6, 1.0 / math.sqrt(width // heads))
    sources = [step.inputs[0], step.inputs[min(1, len(step.inputs) - 1)], step.inputs[-1]]
    parts = []
    for source, features, name in zip(sources, (queries, keys, values), ("query", "key", "value"), strict=True):
        step.rank(2, value=source)
        matrix, offset = _matrix(step, width, features), step.floats(width)
        made = step.node("MatMul", [source, step.constant(matrix.T.copy(), f"{name}_weight")])
        made = step.node("Add", [made, step.constant(offset, f"{name}_bias")])
        if name == "query":
            made = step.node("Mul", [made, step.number(scale, "scale")])
        parts.append(step.reshape(made, [step.dim(source, 0), heads, width // heads]))
    query, value = (step.node("Transpose", [each], perm=[0, 2, 1, 3]) for each in (parts[0], parts[2]))
    key = step.node("Transpose", [parts[1]], perm=[0, 2, 3, 1])
    weights = step.node("Softmax", [step.node("MatMul", [query, key])], axis=-1)
    joined = step.node("Transpose", [step.node("MatMul", [weights, value])], perm=[0, 2, 1, 3])
    joined = step.reshape(joined, [step.dim(step.inputs[0], 0), width])
    made = step.node("MatMul", [joined, step.constant(_matrix(step, queries, width).T.copy(), "out_weight")])
    step.out("Add", [made, step.constant(step.floats(queries), "out_bias")])


def _matrix(step: Step, rows: int, columns: int) -> np.ndarray:
    found: np.ndarray = step.weight(rows, columns)
    if found.dtype == np.int8:
        step.unsupported("its weights are int8")
    return found
