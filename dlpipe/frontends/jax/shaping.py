"""Constants, and what moves values about without computing: reshape, broadcast, transpose, slice, pad, join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .hlo import Value, Walker, array_of, handles, number, numbers, refuse, type_of


@handles("stablehlo.constant")
def constant(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    del operands
    shape, dtype = type_of(operation.results[0])
    array = array_of(operation.attributes["value"], shape, dtype)
    if array.size > 1 and (array == array.reshape(-1)[0]).all():  # one value, repeated
        held = walker.constant(array.reshape(-1)[:1].reshape([1] * len(shape)))
        return [Value(held.name, shape, dtype, small=(1,) * len(shape))]
    return [walker.constant(array)]


@handles("stablehlo.iota")
def iota(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    del operands
    shape, dtype = type_of(operation.results[0])
    axis = number(operation, "iota_dimension")
    small = [size if index == axis else 1 for index, size in enumerate(shape)]
    held = walker.constant(np.arange(shape[axis]).astype(dtype).reshape(small), "iota")
    return [Value(held.name, shape, dtype, small=tuple(small))]


@handles("stablehlo.reshape")
def reshape(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    return [walker.reshape(operands[0], type_of(operation.results[0])[0])]


@handles("stablehlo.broadcast_in_dim")
def broadcast(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Only the rank is written now; dims of 1 are repeated where an operator needs that."""
    shape, dtype = type_of(operation.results[0])
    value = operands[0]
    places = numbers(operation, "broadcast_dimensions", ())
    have = value.small if value.small is not None else value.shape
    if sorted(places) != places:
        value = walker.transpose(value, sorted(range(len(places)), key=places.__getitem__))
        have, places = value.shape, sorted(places)
    small = [1] * len(shape)
    for place, size in zip(places, have, strict=True):
        small[place] = size
    if tuple(small) == have:
        return [Value(value.name, shape, dtype, tuple(small) if tuple(small) != shape else None, value.constant)]
    bare = Value(value.name, tuple(have), dtype, constant=value.constant if value.small is None else None)
    made = walker.reshape(bare, small)
    return [Value(made.name, shape, dtype, tuple(small) if tuple(small) != shape else None, made.constant)]


@handles("stablehlo.transpose")
def transpose(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    return [walker.transpose(operands[0], numbers(operation, "permutation", ()))]


@handles("stablehlo.slice")
def cut(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    starts, ends, steps = (numbers(operation, name, ()) for name in ("start_indices", "limit_indices", "strides"))
    return [_slice(walker, operands[0], starts, ends, steps, shape, dtype)]


def _slice(
    walker: Walker,
    value: Value,
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int],
    shape: Sequence[int],
    dtype: Any,
) -> Value:
    axes = [axis for axis in range(len(shape)) if (starts[axis], ends[axis], steps[axis]) != (0, value.shape[axis], 1)]
    if not axes:
        return value
    lists = [walker.ints([each[axis] for axis in axes]) for each in (starts, ends)]
    more = [walker.ints(axes), walker.ints([steps[axis] for axis in axes])]
    return walker.node("Slice", [value, *lists, *more], shape, dtype)


@handles("stablehlo.concatenate")
def concatenate(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    shape, dtype = type_of(operation.results[0])
    return [walker.node("Concat", operands, shape, dtype, axis=number(operation, "dimension"))]


@handles("stablehlo.reverse")
def reverse(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    axes = numbers(operation, "dimensions", ())
    starts, ends = walker.ints([-1] * len(axes)), walker.ints([-(2**62)] * len(axes))
    steps = walker.ints([-1] * len(axes))
    return [walker.node("Slice", [operands[0], starts, ends, walker.ints(axes), steps], *type_of(operation.results[0]))]


@handles("stablehlo.pad")
def pad(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    low, high, inside = (
        numbers(operation, f"{name}_padding" if name == "interior" else f"edge_padding_{name}", ())
        for name in ("low", "high", "interior")
    )
    value = spaced(walker, operands[0], inside, operands[1])
    return [padded(walker, value, low, high, operands[1])]


def padded(walker: Walker, value: Value, low: Sequence[int], high: Sequence[int], fill: Value) -> Value:
    """Negative padding cuts."""
    shape = [size + before + after for size, before, after in zip(value.shape, low, high, strict=True)]
    cut_low, cut_high = [max(0, -each) for each in low], [max(0, -each) for each in high]
    if any(cut_low) or any(cut_high):
        ends = [size - each for size, each in zip(value.shape, cut_high, strict=True)]
        kept = [end - start for start, end in zip(cut_low, ends, strict=True)]
        value = _slice(walker, value, cut_low, ends, [1] * len(ends), kept, value.dtype)
    pads = [max(0, each) for each in (*low, *high)]
    if not any(pads):
        return value
    if value.dtype == np.bool_:
        whole = padded(walker, walker.cast(value, np.int32), low, high, walker.cast(fill, np.int32))
        return walker.cast(whole, np.bool_)
    return walker.node("Pad", [value, walker.ints(pads), fill.name], shape, value.dtype)


def spaced(walker: Walker, value: Value, gaps: Sequence[int], fill: Value) -> Value:
    """`gaps` fillings between neighbours along each axis: every element gets a row of its own, is padded, and the rows
    are joined again."""
    for axis, gap in enumerate(gaps):
        size = value.shape[axis]
        if gap == 0 or size < 2:
            continue
        rows = walker.reshape(value, (*value.shape[: axis + 1], 1, *value.shape[axis + 1 :]))
        after = [0] * len(rows.shape)
        after[axis + 1] = gap
        filled = padded(walker, rows, [0] * len(after), after, fill)
        joined = walker.reshape(filled, (*value.shape[:axis], size * (gap + 1), *value.shape[axis + 1 :]))
        end = [0] * len(value.shape)
        end[axis] = -gap
        value = padded(walker, joined, [0] * len(end), end, fill)
    return value


@handles("stablehlo.optimization_barrier")
def same(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    del walker, operation
    return list(operands)


@handles("stablehlo.bitcast_convert")
def bits(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    del walker, operands
    raise refuse(operation, "has no counterpart in ONNX")
