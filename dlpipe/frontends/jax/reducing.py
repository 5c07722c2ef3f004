"""Reductions: over whole axes, and over windows that slide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .hlo import Value, Walker, handles, numbers, only, refuse, type_of
from .shaping import padded

_REDUCE = {"add": "ReduceSum", "multiply": "ReduceProd", "maximum": "ReduceMax", "minimum": "ReduceMin"}
_NEUTRAL = {"add": 0.0, "multiply": 1.0, "maximum": -np.inf, "minimum": np.inf}


@handles("stablehlo.reduce")
def reduce(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    axes = numbers(operation, "dimensions", ())
    if len(operands) == 4:
        return _arg_reduce(walker, operation, operands, axes)
    if len(operands) != 2:
        raise refuse(operation, f"of {len(operands) // 2} tensors at once")
    shape, dtype = type_of(operation.results[0])
    value, initial = operands
    how = only(operation).partition(".")[2]
    if dtype == np.bool_:
        how = {"and": "minimum", "or": "maximum", "minimum": "minimum", "maximum": "maximum"}.get(how, how)
        if how not in ("minimum", "maximum"):
            raise refuse(operation, f"of truth values by {how}")
        value, initial = walker.cast(value, np.int32), walker.cast(initial, np.int32)
    op = _REDUCE.get(how)
    if op is None:
        raise refuse(operation, f"by {how}")
    made = walker.node(op, [value, walker.ints(axes)], shape, value.dtype, keepdims=0) if axes else value
    if not _is_neutral(initial, how):
        joined = {"add": "Add", "multiply": "Mul", "maximum": "Max", "minimum": "Min"}[how]
        made = walker.node(joined, [made.name, initial.name], shape, value.dtype)
    return [walker.cast(made, dtype)]


def _is_neutral(initial: Value, how: str) -> bool:
    if initial.constant is None:
        return False
    value, kind = initial.constant.reshape(-1)[0], initial.dtype
    if how in ("maximum", "minimum") and kind.kind in "iu":
        limits = np.iinfo(kind)
        return bool(value == (limits.min if how == "maximum" else limits.max))
    return bool(value == _NEUTRAL[how])


def _arg_reduce(walker: Walker, operation: Any, operands: Sequence[Value], axes: Sequence[int]) -> list[Value]:
    """argmax and argmin as JAX writes them: a tensor and its positions, reduced side by side."""
    values, positions = operands[:2]
    names = [each.operation.name for each in operation.regions[0].blocks[0].operations]
    first = next(iter(operation.regions[0].blocks[0].operations)).operation
    which = str(first.attributes["comparison_direction"]) if first.name == "stablehlo.compare" else ""
    op = "ArgMax" if "GT" in which else "ArgMin" if "LT" in which else None
    small = tuple(size if index in axes else 1 for index, size in enumerate(values.shape))
    if op is None or len(axes) != 1 or names.count("stablehlo.select") != 2 or positions.small != small:
        raise refuse(operation, "of two tensors at once, other than argmax or argmin")
    shape, dtype = type_of(operation.results[0])
    best = walker.node(
        "ReduceMax" if op == "ArgMax" else "ReduceMin", [values, walker.ints(axes)], shape, dtype, keepdims=0
    )
    place = walker.node(op, [values], shape, np.int64, axis=axes[0], keepdims=0)
    return [best, walker.cast(place, positions.dtype)]


@handles("stablehlo.reduce_window")
def reduce_window(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Pooling: the axes with a window come last, the others make one batch."""
    if len(operands) != 2:
        raise refuse(operation, f"of {len(operands) // 2} tensors at once")
    shape, dtype = type_of(operation.results[0])
    value, initial = operands
    rank, how = len(shape), only(operation).partition(".")[2]
    ones = [1] * rank
    window, strides, base, dilation = (
        numbers(operation, name, ones)
        for name in ("window_dimensions", "window_strides", "base_dilations", "window_dilations")
    )
    edges = numbers(operation, "padding", [0] * 2 * rank)
    if base != ones or how not in ("add", "maximum", "minimum") or dtype.kind != "f":
        raise refuse(operation, f"by {how} of {dtype}" + (" with dilated input" if base != ones else ""))
    if not _is_neutral(initial, how):
        raise refuse(operation, "with an initial value that counts")
    value = padded(walker, value, edges[::2], edges[1::2], initial)
    slid = [axis for axis in range(rank) if (window[axis], strides[axis]) != (1, 1)] or [rank - 1]
    still = [axis for axis in range(rank) if axis not in slid]
    if len(slid) > 3:
        raise refuse(operation, f"over {len(slid)} axes")
    order = [*still, *slid]
    moved = walker.transpose(value, order)
    batch = math.prod(moved.shape[: len(still)])
    pooled = walker.reshape(moved, (batch, 1, *moved.shape[len(still) :]))
    sizes = [shape[axis] for axis in slid]
    if how == "add" and dilation != ones:
        raise refuse(operation, "adds up a window with gaps")
    settings = {
        "kernel_shape": [window[axis] for axis in slid],
        "strides": [strides[axis] for axis in slid],
    }
    gaps = [dilation[axis] for axis in slid] if how != "add" else None
    if how == "minimum":
        pooled = walker.node("Neg", [pooled], pooled.shape, dtype)
    op = "AveragePool" if how == "add" else "MaxPool"
    made = walker.node(op, [pooled], (batch, 1, *sizes), dtype, dilations=gaps, **settings)
    if how == "minimum":
        made = walker.node("Neg", [made], made.shape, dtype)
    if how == "add":
        count = walker.constant(np.asarray(math.prod(settings["kernel_shape"]), dtype))
        made = walker.node("Mul", [made.name, count.name], made.shape, dtype)
    whole = walker.reshape(made, [shape[axis] for axis in order])
    return [walker.transpose(whole, [order.index(axis) for axis in range(rank)])]
