"""Parts of tensors, by position."""

from __future__ import annotations

import math

import numpy as np

from .handlers import handles
from .reading import Operator
from .scope import Scope

_MOST = 2**63 - 1


@handles("SLICE")
def slice_(scope: Scope, op: Operator) -> None:
    """Inputs: data, begin, size; a size of -1: all that is left."""
    name, rank = scope.name(op.outputs[0]), scope.rank(op.inputs[0])
    begin, size = scope.array(op.inputs[1]), scope.array(op.inputs[2])
    axes = scope.const(range(rank), f"{name}__axes", "int64")
    if begin is not None and size is not None:
        ends = [
            _MOST if count == -1 else start + count for start, count in zip(begin.tolist(), size.tolist(), strict=True)
        ]
        bounds = [scope.const(begin, f"{name}__begin", "int64"), scope.const(ends, f"{name}__end", "int64")]
    else:
        first, count = (scope.ints(index, f"{name}__bound") for index in op.inputs[1:3])
        rest = scope.node("Equal", [count, scope.const(-1, f"{name}__rest", "int64")], name)
        most = scope.const(_MOST, f"{name}__most", "int64")
        bounds = [first, scope.node("Where", [rest, most, scope.node("Add", [first, count], name)], name)]
    scope.result(op.outputs[0], "Slice", [scope.stored(op.inputs[0]), *bounds, axes])


@handles("STRIDED_SLICE", note="computed strides are refused")
def strided_slice(scope: Scope, op: Operator) -> None:
    """As in numpy: an entry is a slice, one index (shrink), a new dim, or the ellipsis."""
    name, rank, options = scope.name(op.outputs[0]), scope.rank(op.inputs[0]), op.options
    steps = [int(each) for each in np.ravel(scope.constant(op, 3))]

    def marked(mask: str, entry: int) -> bool:
        return bool(int(options[mask]) >> entry & 1)

    entries: list[tuple[int, int]] = []  # (position in begin, axis of the data)
    new: list[int] = []  # dims of the result
    shrunk: list[int] = []  # axes of the data
    consuming = sum(
        1 for entry in range(len(steps)) if not marked("new_axis_mask", entry) and not marked("ellipsis_mask", entry)
    )
    axis = shown = 0
    for entry in range(len(steps)):
        if marked("ellipsis_mask", entry):
            axis, shown = axis + rank - consuming, shown + rank - consuming
        elif marked("new_axis_mask", entry):
            new.append(shown)
            shown += 1
        else:
            entries.append((entry, axis))
            if marked("shrink_mask", entry):
                shrunk.append(axis)
            else:
                shown += 1
            axis += 1
    if axis > rank:
        raise op.refuse(f"takes {axis} dims of a tensor of rank {rank}")
    value = _sliced(scope, op, entries, steps)
    if shrunk:
        value = scope.node("Squeeze", [value, scope.const(shrunk, f"{name}__shrunk", "int64")], name)
    if new:
        value = scope.node("Unsqueeze", [value, scope.const(new, f"{name}__new", "int64")], name)
    scope.result(op.outputs[0], "Identity", [value])


def _sliced(scope: Scope, op: Operator, entries: list[tuple[int, int]], steps: list[int]) -> str:
    name, options = scope.name(op.outputs[0]), op.options
    value = scope.stored(op.inputs[0])
    begin, end = scope.array(op.inputs[1]), scope.array(op.inputs[2])
    computed = begin is None or end is None
    if computed and options["offset"]:
        raise op.refuse("has a computed end that counts from the begin")
    starts, ends, fixed_start, fixed_end = [], [], [], []
    for entry, _ in entries:
        forward, shrink = steps[entry] > 0, bool(options["shrink_mask"] >> entry & 1)
        if steps[entry] == 0:
            raise op.refuse("has a stride of zero")
        # A masked bound is the very first or last one; one index ends behind itself.
        open_start = options["begin_mask"] >> entry & 1 and not shrink
        open_end = options["end_mask"] >> entry & 1 and not shrink
        start = (0 if forward else _MOST) if open_start else (int(begin[entry]) if begin is not None else 0)
        stop = (_MOST if forward else -_MOST) if open_end else (int(end[entry]) if end is not None else 0)
        if options["offset"] and not open_end:
            stop += start
        if shrink:
            stop = _MOST if start == -1 else start + 1
        starts.append(start)
        ends.append(stop)
        fixed_start.append(bool(open_start) or begin is not None)
        fixed_end.append(bool(open_end) or (end is not None and not shrink) or (shrink and begin is not None))
    if not entries:
        return value
    taken = [entry for entry, _ in entries]
    shrinks = [bool(options["shrink_mask"] >> entry & 1) for entry in taken]
    bounds = [scope.const(starts, f"{name}__begin", "int64"), scope.const(ends, f"{name}__end", "int64")]
    if computed:
        bounds = _computed(scope, op, taken, shrinks, (bounds[0], fixed_start), (bounds[1], fixed_end))
    axes = scope.const([axis for _, axis in entries], f"{name}__axes", "int64")
    # One index needs no stride, whatever the file says of it.
    strides = [1 if shrink else steps[entry] for entry, shrink in zip(taken, shrinks, strict=True)]
    return scope.node("Slice", [value, *bounds, axes, scope.const(strides, f"{name}__steps", "int64")], name)


def _computed(
    scope: Scope,
    op: Operator,
    taken: list[int],
    shrinks: list[bool],
    start: tuple[str, list[bool]],
    stop: tuple[str, list[bool]],
) -> list[str]:
    """Begin and end of a slice where the file computes them. Each bound: its known values, and which are known."""
    name = scope.name(op.outputs[0])
    positions = scope.const(taken, f"{name}__entries", "int64")

    def pick(index: int, known: tuple[str, list[bool]]) -> str:
        value = scope.node("Gather", [scope.ints(index, f"{name}__bound"), positions], name)
        return scope.node("Where", [scope.const(known[1], f"{name}__known", "bool"), known[0], value], name)

    first = pick(op.inputs[1], start)
    one, most = scope.const(1, f"{name}__one", "int64"), scope.const(_MOST, f"{name}__most", "int64")
    behind = scope.node("Add", [first, one], name)
    last = scope.node("Equal", [first, scope.const(-1, f"{name}__last", "int64")], name)
    single = scope.node("Where", [last, most, behind], name)
    end = pick(op.inputs[2], stop)
    return [first, scope.node("Where", [scope.const(shrinks, f"{name}__single", "bool"), single, end], name)]


@handles("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(scope: Scope, op: Operator) -> None:
    """Inputs: data, update, start. The start is moved so that the update lies within the data.

    ScatterND at the positions of the update: every index of it, plus the start.
    """
    name = scope.name(op.outputs[0])
    data, update = scope.shape(op, op.inputs[0]), scope.shape(op, op.inputs[1])
    room = scope.const([whole - part for whole, part in zip(data, update, strict=True)], f"{name}__room", "int64")
    start = scope.ints(op.inputs[2], f"{name}__start")
    start = scope.node("Min", [scope.node("Max", [start, scope.const(0, f"{name}__zero", "int64")], name), room], name)
    scope.small(op, math.prod(update) * len(update))
    positions = np.stack(np.meshgrid(*(np.arange(dim) for dim in update), indexing="ij"), axis=-1)
    indices = scope.node("Add", [scope.const(positions, f"{name}__positions", "int64"), start], name)
    scope.result(op.outputs[0], "ScatterND", [scope.stored(op.inputs[0]), indices, scope.stored(op.inputs[1])])
