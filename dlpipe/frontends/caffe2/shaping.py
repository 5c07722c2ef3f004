"""Operators that move values and compute none: reshape, transpose, join, split, pad, resize, gather."""

from __future__ import annotations

import math

import numpy as np

from ..kit.ports import BATCH
from .converter import Converter
from .nets import Operator
from .table import converts

_INT64 = 7  # TensorProto.INT64
_END = np.iinfo(np.int64).max


@converts("Reshape")
def _reshape(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if "shape" in op.args:
        shape = op.args.integers("shape")
        if shape:
            shape = _per_sample(converter, op, x, shape)
        wanted = converter.constant(op, shape, np.int64)
    else:
        wanted = converter.emit(op, "Cast", [converter.value(op, 1)], to=_INT64)
        stated = converter.graph.array(converter.value(op, 1))
        if stated is not None and stated.size:
            shape = _per_sample(converter, op, x, stated.ravel().tolist())
            wanted = converter.constant(op, shape, np.int64)
    converter.finish(op, "Reshape", [x, wanted])
    if len(op.outputs) > 1:
        converter.finish(op, "Shape", [x], 1)


def _per_sample(converter: Converter, op: Operator, x: str, wanted: list[int]) -> list[int]:
    """A reshape to [-1, 800] keeps samples apart only where each has 800 numbers: then it is one to [0, 800]."""
    converter.check_batch(x, wanted[0])
    shape = converter.shape(x)
    if not (shape and shape[0] == BATCH and wanted[0] == -1 and all(each > 0 for each in wanted[1:])):
        return wanted
    size = math.prod(wanted[1:])
    converter.check_size(op, x, size, may_split=True)
    same = all(isinstance(dim, int) for dim in shape[1:]) and math.prod(int(dim or 0) for dim in shape[1:]) == size
    return [0, *wanted[1:]] if same else wanted


@converts("ResizeLike")
def _resize_like(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Reshape", [converter.value(op, 0), converter.emit(op, "Shape", [converter.value(op, 1)])])


@converts("Flatten")
def _flatten(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Flatten", [converter.value(op, 0)], axis=op.args.integer("axis", 1))


@converts("FlattenToVec")
def _to_vector(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Reshape", [converter.value(op, 0), converter.constant(op, [-1], np.int64)])


@converts("MergeDim", "PrependDim")
def _first_dim(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if op.type == "PrependDim":
        size = op.args.integer("dim_size", 1)
        kept = converter.emit(op, "Shape", [x], start=1)
        wanted = converter.emit(op, "Concat", [converter.constant(op, [size, -1], np.int64), kept], axis=0)
    else:
        kept = converter.emit(op, "Shape", [x], start=2)
        wanted = converter.emit(op, "Concat", [converter.constant(op, [-1], np.int64), kept], axis=0)
    converter.finish(op, "Reshape", [x, wanted])


@converts("ExpandDims", "Squeeze")
def _dims(converter: Converter, op: Operator) -> None:
    dims = converter.constant(op, sorted(set(op.args.integers("dims"))), np.int64)
    kind = "Unsqueeze" if op.type == "ExpandDims" else "Squeeze"
    converter.finish(op, kind, [converter.value(op, 0), dims])


@converts("Transpose")
def _transpose(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    axes = op.args.integers("axes") or list(range(converter.rank(x)))[::-1]
    converter.finish(op, "Transpose", [x], perm=axes)


@converts("NCHW2NHWC", "NHWC2NCHW")
def _layout(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    rank = converter.rank(x)
    perm = [0, rank - 1, *range(1, rank - 1)] if op.type == "NHWC2NCHW" else converter.last_perm(x)
    converter.finish(op, "Transpose", [x], perm=perm)


@converts("Concat", "DepthConcat")
def _concat(converter: Converter, op: Operator) -> None:
    values = [converter.value(op, index) for index in range(len(op.inputs))]
    rank = converter.rank(values[0])
    order = op.args.text("order", "NCHW")
    adds = op.args.integer("add_axis")
    # without an axis: that of the channels
    axis = op.args.integer("axis") if "axis" in op.args else (1 if order == "NCHW" else rank - 1)
    axis = axis % (rank + 1) if adds else converter.axis(op, values[0], axis)
    sizes = [shape[axis] if not adds and shape else 1 for shape in map(converter.shape, values)]
    if adds:
        added = converter.constant(op, [axis], np.int64)
        values = [converter.emit(op, "Unsqueeze", [value, added]) for value in values]
    converter.finish(op, "Concat", values, axis=axis)
    if len(op.outputs) > 1 and all(isinstance(size, int) for size in sizes):
        converter.hold(op, np.array(sizes, np.int32), 1)


@converts("Split", "DepthSplit")
def _split(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    order = op.args.text("order", "NCHW")
    axis = op.args.integer("axis") if "axis" in op.args else (1 if order == "NCHW" else converter.rank(x) - 1)
    axis = converter.axis(op, x, axis)
    sizes = converter.array(op, 1).tolist() if len(op.inputs) > 1 else op.args.integers("split")
    count = len(op.outputs)
    if not sizes:
        shape = converter.shape(x)
        size = shape[axis] if shape else None
        if not isinstance(size, int) or size % count:
            raise converter.bad(op, f"a dim of {size} in {count} equal parts")
        sizes = [size // count] * count
    if len(sizes) != count:
        raise converter.bad(op, f"{len(sizes)} sizes for {count} outputs")
    label = converter.label(op)
    names = list(op.outputs)
    converter.graph.node("Split", [x, converter.constant(op, sizes, np.int64)], names, label, axis=axis)
    converter.values.update({name: name for name in names})


@converts("Slice")
def _slice(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if len(op.inputs) > 1:
        starts, ends = (converter.array(op, index).ravel().tolist() for index in (1, 2))
    else:
        starts, ends = op.args.integers("starts"), op.args.integers("ends")
    if len(starts) != len(ends) or len(starts) > converter.rank(x):
        raise converter.bad(op, f"starts {starts} and ends {ends}")
    shape = converter.shape(x)
    if starts and shape and shape[0] == BATCH and ends[0] > 0:
        converter.check_batch(x, ends[0])
    # A negative place counts from one behind the end: -1 is the end itself.
    starts = [each + 1 if each < -1 else (_END if each == -1 else each) for each in starts]
    ends = [each + 1 if each < -1 else (_END if each == -1 else each) for each in ends]
    places = [converter.constant(op, each, np.int64) for each in (starts, ends, list(range(len(starts))))]
    converter.finish(op, "Slice", [x, *places])


@converts("Shape", "Size")
def _shape(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    axes = op.args.integers("axes")
    if not axes:
        converter.finish(op, op.type, [x])
        return
    converter.finish(op, "Gather", [converter.emit(op, "Shape", [x]), converter.constant(op, axes, np.int64)], axis=0)


@converts("Gather", "BatchGather", "BatchPermutation")
def _gather(converter: Converter, op: Operator) -> None:
    op.args.ignore("match_outer")
    axis = op.args.integer("axis", 1 if op.type == "BatchGather" else 0)
    converter.finish(op, "Gather", [converter.value(op, 0), converter.value(op, 1)], axis=axis)


@converts("Tile")
def _tile(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    tiles = int(converter.array(op, 1).flat[0]) if len(op.inputs) > 1 else op.args.integer("tiles", 1)
    axis = int(converter.array(op, 2).flat[0]) if len(op.inputs) > 2 else op.args.integer("axis", 0)
    repeats = [1] * converter.rank(x)
    repeats[converter.axis(op, x, axis)] = tiles
    converter.finish(op, "Tile", [x, converter.constant(op, repeats, np.int64)])


@converts("NumpyTile", "Expand")
def _stretch(converter: Converter, op: Operator) -> None:
    wanted = converter.emit(op, "Cast", [converter.value(op, 1)], to=_INT64)
    converter.finish(op, "Tile" if op.type == "NumpyTile" else "Expand", [converter.value(op, 0), wanted])


@converts("ChannelShuffle")
def _shuffle(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    shuffle(converter, op, x)


def shuffle(converter: Converter, op: Operator, x: str) -> None:
    """Channels in `group` groups, dealt out in turn. Writes the output."""
    last = converter.channels_last(op)
    op.args.ignore("kernel", "kernels")
    groups = op.args.integer("group", 1)
    shape = converter.shape(x)
    channels = shape[-1 if last else 1] if shape and len(shape) > 2 else None
    if not isinstance(channels, int) or groups < 1 or channels % groups:
        raise converter.bad(op, f"{channels} channels in {groups} groups")
    whole = converter.emit(op, "Shape", [x])
    split = [-1, groups, channels // groups] if last else [0, groups, channels // groups, -1]
    apart = converter.emit(op, "Reshape", [x, converter.constant(op, split, np.int64)])
    turned = converter.emit(op, "Transpose", [apart], perm=[0, 2, 1] if last else [0, 2, 1, 3])
    converter.finish(op, "Reshape", [turned, whole])
