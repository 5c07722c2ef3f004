"""Layers that move numbers and change none."""

from __future__ import annotations

import itertools

from ...kit.ports import BATCH
from .. import schema
from ..step import FixedBatch, Step, count, layer, number


@layer("Flatten")
def flatten(step: Step) -> None:
    step.expect()
    params = step.params("flatten_param")
    shape = step.shapes[0]
    first, last = step.axis(params.axis, len(shape)), step.axis(params.end_axis, len(shape))
    if last < first:
        step.fail(f"it flattens from axis {first} to {last}")
    step.reshape(step.inputs[0], shape, [*shape[:first], count(shape[first : last + 1]), *shape[last + 1 :]])


@layer("Reshape")
def reshape(step: Step) -> None:
    """0 keeps a dim, -1 takes what is left; `axis` and `num_axes` say which part of the shape is replaced."""
    step.expect()
    params = step.params("reshape_param")
    shape = step.shapes[0]
    rank = len(shape)
    begin = params.axis if params.axis >= 0 else rank + params.axis + 1
    end = rank if params.num_axes == -1 else begin + params.num_axes
    if not 0 <= begin <= end <= rank:
        step.fail(f"axis {params.axis} and num_axes {params.num_axes} do not fit {shape}")
    asked = schema.dims(params.shape, f"layer {step.layer.name}")
    made: list[object] = []
    for index, dim in enumerate(asked):
        if dim == 0:
            if begin + index >= rank:
                step.fail(f"it keeps axis {begin + index} of {shape}")
            made.append(shape[begin + index])
        else:
            made.append(dim)
    result = [*shape[:begin], *made, *shape[end:]]
    if result.count(-1) > 1 or any(dim != BATCH and dim < -1 for dim in result):
        step.fail(f"it asks for the shape {asked}")
    if -1 in result:
        result[result.index(-1)] = _rest(step, result)
    step.reshape(step.inputs[0], shape, result)


def _rest(step: Step, result: list[object]) -> object:
    """What -1 stands for."""
    shape = step.shapes[0]
    known = [dim for dim in result if dim != -1]
    if BATCH in shape and BATCH not in known:  # the batch is in what is left: it must be all of that
        if result[0] == -1 and count(shape[1:]) == count(known):
            return BATCH
        raise FixedBatch
    total, rest = (count([dim for dim in each if dim != BATCH]) for each in (shape, known))
    if not rest or total % rest:
        step.fail(f"{shape} does not divide into {known}")
    return total // rest


@layer("Permute")
def permute(step: Step) -> None:
    """Axes that are not named follow in their order."""
    step.expect()
    order = step.params("permute_param").order
    rank = step.rank()
    if len(set(order)) != len(order) or any(not 0 <= axis < rank for axis in order):
        step.fail(f"the order {order} for {rank} axes")
    order = [*order, *(axis for axis in range(rank) if axis not in order)]
    result = [step.shapes[0][axis] for axis in order]
    if BATCH in result[1:]:
        raise FixedBatch
    step.out("Transpose", step.inputs, result, perm=order)


@layer("Concat")
def concat(step: Step) -> None:
    step.expect((1, 4096))
    params = step.params("concat_param")
    rank = step.rank()
    axis = step.axis(params.axis if params.concat_dim is None else params.concat_dim, rank)
    for shape in step.shapes[1:]:
        if len(shape) != rank or any(shape[i] != step.shapes[0][i] for i in range(rank) if i != axis):
            step.fail(f"its bottoms have the shapes {step.shapes[0]} and {shape}")
    result = list(step.shapes[0])
    result[axis] = sum(number(shape[axis]) for shape in step.shapes)
    step.out("Concat", step.inputs, result, axis=axis)


@layer("Slice")
def slice_(step: Step) -> None:
    step.expect(1, (1, 4096))
    params = step.params("slice_param")
    shape, tops = step.shapes[0], len(step.tops)
    axis = step.axis(params.axis if params.slice_dim is None else params.slice_dim, len(shape))
    size = number(shape[axis])
    if params.slice_point:
        points = [0, *params.slice_point, size]
        if len(points) != tops + 1 or any(low >= high for low, high in itertools.pairwise(points)):
            step.fail(f"{tops} tops and the slice points {params.slice_point} of {size}")
    else:
        if size % tops:
            step.fail(f"{size} does not divide into {tops} tops")
        points = [size // tops * index for index in range(tops + 1)]
    parts = [high - low for low, high in itertools.pairwise(points)]
    step.graph.node("Split", [step.inputs[0], step.ints(parts, "parts")], step.tops, name=step.layer.name, axis=axis)
    for index, part in enumerate(parts):
        step.done([*shape[:axis], part, *shape[axis + 1 :]], index)


@layer("Split")
def split(step: Step) -> None:
    step.expect(1, (1, 4096))
    for index in range(len(step.tops)):
        step.out("Identity", step.inputs, step.shapes[0], index)


@layer("Tile")
def tile(step: Step) -> None:
    step.expect()
    params = step.params("tile_param")
    shape = step.shapes[0]
    axis = step.axis(params.axis, len(shape))
    if params.tiles < 1:
        step.fail(f"its tiles are {params.tiles}")
    repeats = [params.tiles if index == axis else 1 for index in range(len(shape))]
    result = [*shape[:axis], number(shape[axis]) * params.tiles, *shape[axis + 1 :]]
    step.out("Tile", [step.inputs[0], step.ints(repeats, "repeats")], result)


@layer("Crop")
def crop(step: Step) -> None:
    """The first bottom cut to the size of the second, from `axis` on."""
    step.expect(2)
    params = step.params("crop_param")
    shape, wanted = step.shapes
    if len(shape) != len(wanted):
        step.fail(f"its bottoms have the shapes {shape} and {wanted}")
    axis = step.axis(params.axis, len(shape))
    offsets = params.offset or [0]
    offsets = offsets * (len(shape) - axis if len(offsets) == 1 else 1)
    if len(offsets) != len(shape) - axis:
        step.fail(f"it has {len(offsets)} offsets for {len(shape) - axis} axes")
    sizes = [number(dim) for dim in wanted[axis:]]
    for offset, size, have in zip(offsets, sizes, (number(dim) for dim in shape[axis:]), strict=True):
        if offset < 0 or offset + size > have:
            step.fail(f"{size} from {offset} on does not fit into {have}")
    inputs = [
        step.inputs[0],
        step.ints(offsets, "starts"),
        step.ints([low + size for low, size in zip(offsets, sizes, strict=True)], "ends"),
        step.ints(range(axis, len(shape)), "axes"),
    ]
    step.out("Slice", inputs, [*shape[:axis], *sizes])


@layer("ShuffleChannel")
def shuffle_channel(step: Step) -> None:
    step.expect()
    group = step.params("shuffle_channel_param").group
    batch, channels, *space = step.shapes[0] if step.rank() > 1 else step.fail("its bottom has no channels")
    if group < 1 or channels % group:
        step.fail(f"{channels} channels in {group} groups")
    split = [batch, group, channels // group, *space]
    value = step.reshape(step.inputs[0], step.shapes[0], split, None)
    order = [0, 2, 1, *range(3, len(split))]
    turned = step.node("Transpose", [value], perm=order)
    step.reshape(turned, [split[axis] for axis in order], step.shapes[0])
