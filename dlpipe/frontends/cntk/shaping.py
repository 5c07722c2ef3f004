"""Functions that move values: reshape, transpose, slice, splice, pad, gather."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dictionary import FREE, INFERRED, Axis, Shape
from .graph import Function
from .operators import converts
from .writer import Value, Writer

_END = np.iinfo(np.int64).max
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType


@converts("Reshape")
def _reshape(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """The axes from `beginAxis` up to `endAxis`, in CNTK's order, give way to those of `newShape`."""
    value, attributes = inputs[0], function.attributes
    wanted = attributes.get("newShape")
    if not isinstance(wanted, Shape):
        raise writer.bad(function, "a reshape without a shape")
    dims = list(writer.static(function, value)[::-1])
    begin = _index(attributes.get("beginAxis"), len(dims), 0)
    end = _index(attributes.get("endAxis"), len(dims), len(dims))
    if not 0 <= begin <= end <= len(dims):
        raise writer.bad(function, f"a reshape of the axes {begin} to {end} of {len(dims)}")
    new: list[Any] = [*dims[:begin], *wanted.dims, *dims[end:]]
    sizes = [dim if isinstance(dim, int) and dim not in (INFERRED, FREE) else -1 for dim in new][::-1]
    if sizes.count(-1) > 1:
        raise writer.unsupported(function, "a reshape of a value with more than one free axis")
    shape = writer.ints(function, *[0] * value.dynamic, *sizes)
    return writer.finish(function, "Reshape", [value.name, shape], value)


def _index(axis: Any, rank: int, default: int) -> int:
    if not isinstance(axis, Axis) or axis.index is None:
        return default
    return axis.index + rank if axis.index < 0 else axis.index


@converts("Squeeze")
def _squeeze(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value = inputs[0]
    axes = axes_of(function.attributes)
    if axes:
        places = [writer.place(function, value, each) for each in axes]
    else:
        places = [value.dynamic + at for at, dim in enumerate(writer.static(function, value)) if dim == 1]
    return writer.finish(function, "Squeeze", [value.name, writer.ints(function, *places)], value)


def axes_of(attributes: Any) -> list[Axis]:
    found = attributes.get("axisVec")
    if found is None:
        found = [attributes["axis"]] if isinstance(attributes.get("axis"), Axis) else []
    return [each for each in found if isinstance(each, Axis)]


@converts("TransposeAxes")
def _transpose(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, attributes = inputs[0], function.attributes
    rank = len(writer.static(function, value))
    order = list(range(value.dynamic + rank))
    if "axisVec" in attributes:
        listed = [writer.place(function, value, each) for each in axes_of(attributes)]
        if sorted(listed) != order[value.dynamic :]:
            raise writer.bad(function, "a transposition that does not name every axis once")
        order[value.dynamic :] = listed[::-1]
    else:
        first, second = (writer.place(function, value, attributes[key]) for key in ("axis1", "axis2"))
        order[first], order[second] = order[second], order[first]
    return writer.finish(function, "Transpose", [value.name], value, perm=order)


@converts("Slice")
def _slice(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, attributes = inputs[0], function.attributes
    axes = axes_of(attributes)
    if "axisVec" in attributes:
        starts, ends = attributes.get("beginIndexVec", []), attributes.get("endIndexVec", [])
        strides = attributes.get("sliceStridesVec") or [1] * len(starts)
    else:
        starts, ends = [attributes["beginIndex"]], [attributes["endIndex"]]
        strides = [attributes.get("sliceStrides", 1)]
    if not len(axes) == len(starts) == len(ends) == len(strides):
        raise writer.bad(function, "a slice with axes, starts and ends of different number")
    places = [writer.place(function, value, each) for each in axes]
    if any(each < 1 for each in strides):
        raise writer.unsupported(function, f"a slice with the strides {strides}")
    ends = [_END if each == 0 else each for each in ends]
    parts = [writer.ints(function, *each) for each in (starts, ends, places, strides)]
    return writer.finish(function, "Slice", [value.name, *parts], value)


@converts("Splice")
def _splice(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    axis = function.attributes.get("axis")
    if not isinstance(axis, Axis) or axis.index is None:
        raise writer.unsupported(function, "a splice along a dynamic axis")
    ranks = [len(writer.static(function, each)) for each in inputs]
    rank = max(*ranks, axis.index + 1)
    lead = next((each for each in inputs if each.dynamic == max(value.dynamic for value in inputs)), inputs[0])
    names = []
    for value in inputs:
        name = value.name
        missing = rank - len(writer.static(function, value))
        if missing:
            name = writer.emit(
                function, "Unsqueeze", [name, writer.ints(function, *(value.dynamic + at for at in range(missing)))]
            )
        names.append(_led(writer, function, Value(name, value.dynamic), lead))
    return writer.finish(function, "Concat", names, lead, axis=lead.dynamic + rank - 1 - axis.index)


def _led(writer: Writer, function: Function, value: Value, lead: Value) -> str:
    """The value, repeated over the dynamic axes that the leading one has and it has not."""
    if value.dynamic == lead.dynamic:
        return value.name
    name = value.name
    added = range(value.dynamic, lead.dynamic)
    name = writer.emit(function, "Unsqueeze", [name, writer.ints(function, *added)])
    front = writer.emit(function, "Shape", [lead.name], end=lead.dynamic)
    own = writer.emit(function, "Shape", [name], start=lead.dynamic)
    return writer.emit(function, "Expand", [name, writer.emit(function, "Concat", [front, own], axis=0)])


@converts("ReconcileDynamicAxis")
def _reconcile(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """The first value, repeated along the dynamic axes of the second."""
    value, like = inputs[0], inputs[1]
    if value.dynamic > like.dynamic:
        raise writer.unsupported(function, "a sequence given the axes of something without one")
    made = writer.finish(function, "Identity", [_led(writer, function, value, like)], like)
    return Value(made.name, like.dynamic, value.steady)


@converts("UnpackSequence", note="the second output (the mask) is not made")
def _unpack(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    if inputs[0].dynamic != 2:
        raise writer.bad(function, "it unpacks a value that is no sequence")
    return writer.finish(function, "Identity", [inputs[0].name], 1)


@converts("ToSequence", note="lengths that differ are not converted")
def _to_sequence(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    if len(inputs) > 1 or inputs[0].dynamic != 1:
        raise writer.unsupported(function, "sequences of given lengths")
    return writer.finish(function, "Identity", [inputs[0].name], 2)


@converts("ToSequenceLike")
def _to_sequence_like(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    if inputs[0].dynamic != 1 or inputs[1].dynamic != 2:
        raise writer.bad(function, "it makes no sequence of a value")
    return writer.finish(function, "Identity", [inputs[0].name], 2)


@converts("Pad")
def _pad(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, attributes = inputs[0], function.attributes
    mode = {0: "constant", 1: "reflect"}.get(int(attributes["paddingMode"]))
    if mode is None:
        raise writer.unsupported(function, "a symmetric padding")
    sides = [list(attributes[key])[::-1] for key in ("paddingHead", "paddingFoot")]
    none = [0] * value.dynamic
    pads = writer.ints(function, *none, *sides[0], *none, *sides[1])
    names = [value.name, pads]
    if mode == "constant":
        names.append(writer.number(function, float(attributes.get("paddingConstantValue", 0.0)), value))
    return writer.finish(function, "Pad", names, value, mode=mode)


@converts("Crop", note="only with given offsets")
def _crop(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, like = inputs[0], inputs[1]
    offset = function.attributes.get("offset")
    if not isinstance(offset, list) or len(offset) != 2:
        raise writer.unsupported(function, "a crop to places that are computed")
    rank = len(writer.static(function, value))
    axes = [value.dynamic + rank - 1, value.dynamic + rank - 2]  # width, height
    size = writer.emit(function, "Shape", [like.name])
    size = writer.emit(function, "Gather", [size, writer.ints(function, -1, -2)], axis=0)
    starts = writer.ints(function, *offset)
    ends = writer.emit(function, "Add", [starts, size])
    return writer.finish(function, "Slice", [value.name, starts, ends, writer.ints(function, *axes)], value)


@converts("OneHot")
def _one_hot(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value = inputs[0]
    axis = function.attributes.get("onehotAxis", Axis(0, ""))
    place = writer.place(function, value, axis, new=True)
    numbers = writer.emit(function, "Cast", [value.name], to=_INT64)
    size = writer.constant(function, int(function.attributes["numClass"]), np.int64)
    values = writer.constant(function, [0, 1], np.float32)
    return writer.finish(function, "OneHot", [numbers, size, values], value, axis=place)


@converts("Gather", note="only from a constant")
def _gather(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    places, table = inputs[0], inputs[1]
    if table.dynamic:
        raise writer.unsupported(function, "a gather from a value that is computed")
    rank = len(writer.static(function, table))
    axes = axes_of(function.attributes)
    place = writer.place(function, table, axes[0]) if axes else 0
    if axes and place != 0:
        raise writer.unsupported(function, f"a gather along axis {axes[0].index} of {rank}")
    numbers = writer.emit(function, "Cast", [places.name], to=_INT64)
    return writer.finish(function, "Gather", [table.name, numbers], places, axis=0)
