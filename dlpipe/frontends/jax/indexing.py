"""Places that are computed: gather, scatter, dynamic slices, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .hlo import Value, Walker, handles, number, numbers, only, refuse, type_of


def _clamped(walker: Walker, start: Value, most: int) -> Value:
    """An index that StableHLO moves into the tensor: 0 <= start <= most. int64."""
    wide = walker.cast(start, np.int64)
    zero, top = walker.constant(np.asarray(0, np.int64)), walker.constant(np.asarray(most, np.int64))
    raised = walker.node("Max", [walker.full(wide), zero.name], wide.shape, np.int64)
    return walker.node("Min", [raised.name, top.name], wide.shape, np.int64)


@handles("stablehlo.dynamic_slice")
def dynamic_slice(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    value, *starts = operands
    shape, dtype = type_of(operation.results[0])
    first = _starts(walker, value.shape, shape, starts)
    ends = walker.node("Add", [first.name, walker.ints(shape)], first.shape, np.int64)
    made = walker.node("Slice", [value, first, ends, walker.ints(range(len(shape)))], shape, dtype)
    return [walker.node("Reshape", [made, walker.ints(shape)], shape, dtype)]  # tells the shape


def _starts(walker: Walker, whole: Sequence[int], part: Sequence[int], starts: Sequence[Value]) -> Value:
    """[rank] of the starts, each within bounds."""
    rows = [
        walker.reshape(_clamped(walker, start, size - taken), [1])
        for start, size, taken in zip(starts, whole, part, strict=True)
    ]
    return (
        walker.node("Concat", rows, (len(rows),), np.int64, axis=0) if rows else walker.constant(np.zeros(0, np.int64))
    )


@handles("stablehlo.dynamic_update_slice")
def dynamic_update_slice(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Every element of the update is put at its place, which is the start and its own position."""
    value, update, *starts = operands
    shape, dtype = type_of(operation.results[0])
    if not shape:
        return [update]
    first = _starts(walker, shape, update.shape, starts)
    grid = np.stack(np.meshgrid(*[np.arange(size) for size in update.shape], indexing="ij"), -1).astype(np.int64)
    places = walker.node("Add", [walker.constant(grid).name, first.name], grid.shape, np.int64)
    return [walker.node("ScatterND", [value, places, update], shape, dtype)]


@handles("stablehlo.gather")
def gather(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    from jaxlib.mlir.dialects import stablehlo

    value, starts = operands
    shape, dtype = type_of(operation.results[0])
    dims = stablehlo.GatherDimensionNumbers(operation.attributes["dimension_numbers"])
    sizes = numbers(operation, "slice_sizes", ())
    mapped, collapsed = list(dims.start_index_map), list(dims.collapsed_slice_dims)
    offsets, axis = list(dims.offset_dims), dims.index_vector_dim
    batching = list(dims.operand_batching_dims)
    if axis == len(starts.shape):
        starts = walker.reshape(starts, (*starts.shape, 1))
    elif axis != len(starts.shape) - 1:
        starts = walker.transpose(starts, [*(i for i in range(len(starts.shape)) if i != axis), axis])
    batch = starts.shape[:-1]
    whole = all(sizes[i] == value.shape[i] for i in range(len(sizes)) if i not in mapped)
    if len(mapped) == 1 and collapsed == mapped and whole and not batching and sizes[mapped[0]] == 1:
        return [_take(walker, value, starts, mapped[0], offsets, shape, dtype)]
    kept = [i for i in range(len(sizes)) if i not in collapsed and i not in batching]
    inner = [sizes[i] for i in kept]
    columns = []
    for place, size in enumerate(value.shape):
        column = _column(walker, starts, mapped.index(place), size - sizes[place], inner) if place in mapped else None
        if place in kept:
            position = len(batch) + kept.index(place)
            steps = [sizes[place] if i == position else 1 for i in range(len(batch) + len(inner))]
            ramp = walker.constant(np.arange(sizes[place], dtype=np.int64).reshape(steps))
            column = ramp if column is None else walker.node("Add", [column, ramp], _joined(column, ramp), np.int64)
        elif place in batching:
            position = list(dims.start_indices_batching_dims)[batching.index(place)]
            steps = [size if i == position else 1 for i in range(len(batch) + len(inner))]
            column = walker.constant(np.arange(size, dtype=np.int64).reshape(steps))
        assert column is not None
        columns.append(_spread_column(walker, column, [*batch, *inner]))
    places = walker.node("Concat", columns, (*batch, *inner, len(columns)), np.int64, axis=-1)
    made = walker.node("GatherND", [value, places], (*batch, *inner), dtype)
    order = _result_order(len(batch), offsets, len(shape))
    return [walker.transpose(made, order)]


def _take(
    walker: Walker, value: Value, starts: Value, axis: int, offsets: Sequence[int], shape: Sequence[int], dtype: Any
) -> Value:
    """Whole slices along one axis: ONNX's Gather."""
    index = walker.reshape(_clamped(walker, starts, value.shape[axis] - 1), starts.shape[:-1])
    rest = [size for i, size in enumerate(value.shape) if i != axis]
    front = walker.transpose(value, [axis, *(i for i in range(len(value.shape)) if i != axis)])
    made = walker.node("Gather", [front, index], (*index.shape, *rest), dtype, axis=0)
    return walker.transpose(made, _result_order(len(index.shape), offsets, len(shape)))


def _result_order(batch: int, offsets: Sequence[int], rank: int) -> list[int]:
    """From [batch dims, slice dims] to the result, where the slice dims stand at `offsets`."""
    order, batches, slices = [], iter(range(batch)), iter(range(batch, rank))
    for place in range(rank):
        order.append(next(slices) if place in offsets else next(batches))
    return order


def _column(walker: Walker, starts: Value, index: int, most: int, inner: Sequence[int]) -> Value:
    """One coordinate of the starts, with dims of 1 for the slice: [*batch, 1, ...]."""
    batch = starts.shape[:-1]
    picked = walker.node(
        "Gather", [starts, walker.constant(np.asarray(index, np.int64)).name], batch, starts.dtype, axis=-1
    )
    return walker.reshape(_clamped(walker, picked, most), (*batch, *[1] * len(inner)))


def _joined(one: Value, two: Value) -> list[int]:
    return [max(pair) for pair in zip(one.shape, two.shape, strict=True)]


def _spread_column(walker: Walker, column: Value, shape: Sequence[int]) -> Value:
    if list(column.shape) != list(shape):
        column = walker.node("Expand", [column, walker.ints(shape)], shape, np.int64)
    return walker.reshape(column, (*shape, 1))


_SCATTER = {"stablehlo.add": "add", "stablehlo.multiply": "mul", "stablehlo.maximum": "max", "stablehlo.minimum": "min"}


@handles("stablehlo.scatter")
def scatter(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Rows of a tensor, set or joined with. Indices must lie within: those that do not would have to be left out."""
    from jaxlib.mlir.dialects import stablehlo

    if len(operands) != 3:
        raise refuse(operation, f"of {len(operands) // 2} tensors at once")
    value, places, updates = operands
    shape, dtype = type_of(operation.results[0])
    dims = stablehlo.ScatterDimensionNumbers(operation.attributes["scatter_dimension_numbers"])
    window = list(dims.update_window_dims)
    inserted, mapped = list(dims.inserted_window_dims), list(dims.scattered_dims_to_operand_dims)
    body = [each.operation for each in operation.regions[0].blocks[0].operations]
    how = "none" if len(body) == 1 else _SCATTER.get(only(operation))
    leading = list(range(len(mapped)))
    batch = len(places.shape) - 1
    fits = mapped == leading == inserted and dims.index_vector_dim == batch and not list(dims.input_batching_dims)
    if how is None or not fits or window != list(range(batch, len(updates.shape))) or places.constant is None:
        raise refuse(operation, "is taken for whole rows at constant indices only")
    limits = np.asarray([value.shape[axis] for axis in mapped])
    if ((places.constant < 0) | (places.constant >= limits)).any():
        raise refuse(operation, "has indices outside of the tensor")
    rows = walker.cast(places, np.int64)
    return [walker.node("ScatterND", [value, rows, updates], shape, dtype, reduction=how)]


@handles("stablehlo.sort")
def sort(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """One tensor, perhaps with its positions (argsort), by its own order."""
    shape, dtype = type_of(operation.results[0])
    axis = number(operation, "dimension", len(shape) - 1)
    body = [each.operation for each in operation.regions[0].blocks[0].operations]
    # Floats are compared after zeros and what is no number have been made alike; the last comparison decides.
    compared = [str(each.attributes["comparison_direction"]) for each in body if each.name == "stablehlo.compare"]
    which = compared[-1] if compared else ""
    positions = len(operands) == 2 and operands[1].small is not None and operands[1].small[axis] == shape[axis]
    if (len(operands) > 1 and not positions) or not ("LT" in which or "GT" in which):
        raise refuse(operation, f"of {len(operands)} tensors at once")
    count = walker.ints([shape[axis]])
    made = [walker.graph.fresh(walker.prefix + "sorted") for _ in range(2)]
    walker.graph.node(
        "TopK", [walker.full(operands[0]), count], made, walker.label, axis=axis, largest=int("GT" in which), sorted=1
    )
    results = [Value(made[0], shape, dtype), walker.cast(Value(made[1], shape, np.dtype(np.int64)), np.int32)]
    return results[: len(operands)]


@handles("chlo.top_k")
def top_k(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    (shape, dtype), (_, kind) = (type_of(each) for each in operation.results)
    made = [walker.graph.fresh(walker.prefix + "top") for _ in range(2)]
    walker.graph.node("TopK", [walker.full(operands[0]), walker.ints([shape[-1]])], made, walker.label, axis=-1)
    return [Value(made[0], shape, dtype), walker.cast(Value(made[1], shape, np.dtype(np.int64)), kind)]
