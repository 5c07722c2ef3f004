"""Convolution, pooling, batch normalisation: functions over the axes of an image."""

from __future__ import annotations

import numpy as np

from .dictionary import FREE, INFERRED, Shape
from .graph import Function
from .operators import converts
from .windows import cropped, listed, read_window
from .writer import Value, Writer


def _one_batch(writer: Writer, function: Function, value: Value, axes: int) -> tuple[str, str | None]:
    """(the value as [batch, ...] with that many static axes, the shape to give back to a sequence's steps)."""
    if value.dynamic == 1:
        return value.name, None
    if value.dynamic == 0:
        return writer.emit(function, "Unsqueeze", [value.name, writer.ints(function, 0)]), None
    front = writer.emit(function, "Shape", [value.name], end=2)
    dims = writer.fixed(function, value)[-axes:]
    return writer.emit(function, "Reshape", [value.name, writer.ints(function, -1, *dims)]), front


def _finish(
    writer: Writer, function: Function, op: str, inputs: list[str], value: Value, front: str | None, **how: object
) -> Value:
    if front is None:
        return writer.finish(function, op, inputs, max(value.dynamic, 1), **how)
    made = writer.emit(function, op, inputs, **how)
    shape = writer.emit(function, "Concat", [front, writer.emit(function, "Shape", [made], start=1)], axis=0)
    return writer.finish(function, "Reshape", [made, shape], value)


@converts("Convolution")
def _convolution(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """Weights [M, C / groups, *kernel]; transposed [C, M, *kernel]."""
    weight, value, attributes = inputs[0], inputs[1], function.attributes
    if weight.dynamic:
        raise writer.unsupported(function, "a convolution with weights that are computed")
    dims = writer.fixed(function, weight)
    if attributes.get("sequential"):  # files hold it written out: unpacked, convolved, made a sequence again
        raise writer.unsupported(function, "a convolution over a sequence axis")
    shape = list(writer.static(function, value))
    if len(dims) == len(shape):  # one output channel, which has no axis of its own
        held = writer.emit(function, "Unsqueeze", [weight.name, writer.ints(function, 0)])
        weight, dims = Value(held, 0), [1, *dims]
    if len(dims) != len(shape) + 1 or len(shape) < 2:
        raise writer.bad(function, f"weights of the shape {dims} on a value of the shape {shape}")
    rank = len(shape) - 1
    sharing = listed(attributes.get("sharing"), rank + 1, True)
    if not all(sharing):
        raise writer.unsupported(function, "a convolution with weights of its own at each place")
    if attributes.get("transpose"):
        return _transposed(writer, function, weight, value, dims[2:])
    window = read_window(writer, function, shape[1:], dims[2:])
    name, front = _one_batch(writer, function, value, rank + 1)
    name, pads = cropped(writer, function, name, window.pads, 2)
    return _finish(
        writer, function, "Conv", [name, weight.name], value, front, kernel_shape=window.kernel,
        strides=window.strides, dilations=window.dilations, pads=pads, group=int(attributes.get("groups", 1) or 1),
    )  # fmt: skip


def _transposed(writer: Writer, function: Function, weight: Value, value: Value, kernel: list[int]) -> Value:
    """The gradient of a convolution: its padding is that of the convolution which makes this input of this output."""
    attributes = function.attributes
    sizes = writer.fixed(function, value)[1:]
    rank = len(sizes)
    strides = listed(attributes.get("strides"), rank, 1)[::-1]
    auto = listed(attributes.get("autoPadding"), rank, False)[::-1]
    lower, upper = (listed(attributes.get(key), rank, 0)[::-1] for key in ("lowerPad", "upperPad"))
    stated = attributes.get("outputShape")
    outputs = list(stated.dims) if isinstance(stated, Shape) else []
    known = len(outputs) >= rank and all(each > 0 for each in outputs[:rank])
    given = outputs[:rank][::-1] if known else None
    pads, more = [0] * (2 * rank), [0] * rank
    for at in range(rank):
        full = (sizes[at] - 1) * strides[at] + kernel[at]
        if auto[at]:
            size = given[at] if given else (sizes[at] - 1) * strides[at] + 1
            centres = (sizes[at] - 1) * strides[at] + 1
            before = (kernel[at] - 1) // 2
            pads[at] = before - (size - centres) // 2
        else:
            pads[at] = lower[at]
            size = given[at] if given else full - lower[at] - upper[at]
        behind = full - pads[at] - size
        pads[rank + at], more[at] = max(behind, 0), max(-behind, 0)
    if any(each < 0 for each in pads):
        raise writer.unsupported(function, f"a transposed convolution from {sizes} to {given}")
    name, front = _one_batch(writer, function, value, rank + 1)
    return _finish(
        writer, function, "ConvTranspose", [name, weight.name], value, front, kernel_shape=kernel, strides=strides,
        pads=pads, output_padding=more, group=int(attributes.get("groups", 1) or 1),
    )  # fmt: skip


@converts("Pooling")
def _pooling(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, attributes = inputs[0], function.attributes
    kind = {0: "Max", 1: "Average"}.get(int(attributes.get("poolingType", 0)), "")
    shape = list(writer.static(function, value))
    if not kind or len(shape) < 2:
        raise writer.unsupported(function, f"pooling of the kind {attributes.get('poolingType')} of {shape}")
    window = attributes.get("poolingWindowShape")
    dims = list(window.dims) if isinstance(window, Shape) else []
    rank = len(shape) - 1
    name, front = _one_batch(writer, function, value, rank + 1)
    if not dims or any(dim in (INFERRED, FREE, -2) for dim in dims):
        return _finish(writer, function, f"Global{kind}Pool", [name], value, front)
    kernel = (dims + [1] * rank)[:rank][::-1]
    if any(dim != 1 for dim in dims[rank:]):
        raise writer.unsupported(function, "pooling over channels")
    made = read_window(writer, function, shape[1:], kernel)
    name, pads = cropped(writer, function, name, made.pads, 2)
    how: dict[str, object] = {"kernel_shape": kernel, "strides": made.strides, "pads": pads}
    if kind == "Average":
        how["count_include_pad"] = int(bool(attributes.get("includePad")))
    return _finish(writer, function, f"{kind}Pool", [name], value, front, **how)


@converts("BatchNormalization")
def _normalise(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """With the statistics that training left. Spatial: one mean for each channel."""
    value, attributes = inputs[0], function.attributes
    dims = writer.fixed(function, value)
    epsilon = float(attributes.get("epsilon", 1e-5))
    arrays = [writer.graph.array(each.name) for each in inputs[1:5]]
    if len(arrays) < 4 or any(each is None for each in arrays):
        raise writer.unsupported(function, "a normalisation whose statistics are computed")
    scale, bias, mean, variance = (np.asarray(each, np.float64).ravel() for each in arrays)
    size = dims[0] if attributes.get("spatial") and dims else int(np.prod(dims))
    if any(each.size != size for each in (scale, bias, mean, variance)):
        raise writer.bad(function, f"a normalisation of {size} channels with {scale.size} factors, {mean.size} means")
    with np.errstate(invalid="ignore", divide="ignore"):  # a damaged file: what comes out is compared with the original
        factor = scale / np.sqrt(variance + epsilon)
    shape = [size] + [1] * (len(dims) - 1) if attributes.get("spatial") else dims
    if value.dynamic == 1 and attributes.get("spatial"):
        held = [writer.graph.constant(np.asarray(each, np.float32).ravel(), f"{writer.label(function)}/{part}")
                for each, part in zip(arrays, ("scale", "bias", "mean", "variance"), strict=True)]  # fmt: skip
        return writer.finish(function, "BatchNormalization", [value.name, *held], value, epsilon=epsilon)
    parts = [writer.constant(function, each.reshape(shape), np.float32) for each in (factor, bias - mean * factor)]
    return writer.finish(function, "Add", [writer.emit(function, "Mul", [value.name, parts[0]]), parts[1]], value)


@converts("ROIPooling", note="max only")
def _regions(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """Value [N, C, H, W], regions [N, R, 4] -> [N, R, C, h, w]."""
    value, regions, attributes = inputs[0], inputs[1], function.attributes
    size = attributes.get("roiOutputShape")
    if attributes.get("poolingType") not in (None, 0) or not isinstance(size, Shape):
        raise writer.unsupported(function, "an average of regions")
    count = writer.fixed(function, regions)[0]
    rows = writer.emit(function, "Reshape", [regions.name, writer.ints(function, -1, 4)])
    batch = writer.emit(function, "Shape", [value.name], end=1)
    batch = writer.emit(function, "Squeeze", [batch, writer.ints(function, 0)])
    zero, one = (writer.constant(function, each, np.int64) for each in (0, 1))
    images = writer.emit(function, "Cast", [writer.emit(function, "Range", [zero, batch, one])], to=1)
    images = writer.emit(function, "Unsqueeze", [images, writer.ints(function, 1)])
    images = writer.emit(function, "Tile", [images, writer.ints(function, 1, count)])
    images = writer.emit(function, "Reshape", [images, writer.ints(function, -1, 1)])
    rows = writer.emit(function, "Concat", [images, rows], axis=1)
    how = {"pooled_shape": list(size.dims)[::-1], "spatial_scale": float(attributes.get("spatialScale", 1.0))}
    made = writer.emit(function, "MaxRoiPool", [value.name, rows], **how)
    dims = [writer.fixed(function, value)[0], *list(size.dims)[::-1]]
    return writer.finish(function, "Reshape", [made, writer.ints(function, -1, count, *dims)], 1)
