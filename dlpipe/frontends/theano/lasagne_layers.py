"""Lasagne's layers -> ONNX."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import lasagne_windows as windows
from .description import Layer
from .lasagne_builder import Builder, Value, pair, reshape


def _dense(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    name, shape = inputs[0]
    units, leading = int(options.pop("num_units")), int(options.pop("num_leading_axes", 1))
    if leading < 0:
        leading += len(shape)
    if leading + 1 < len(shape):
        name, shape = reshape(builder, layer, name, [*shape[:leading], prod(shape[leading:])])
    kernel = builder.constant(layer, "W", builder.take(layer, "W", [shape[-1], units]))
    value = builder.add(layer, "MatMul", [name, kernel], [*shape[:-1], units])
    value = _biased(builder, layer, value, options, [units])
    return builder.finish(layer, value, options, "rectify")


def _biased(builder: Builder, layer: Layer, value: Value, options: dict[str, Any], shape: list[int]) -> Value:
    if options.pop("b", True) is None:
        return value
    bias = builder.constant(layer, "b", builder.take(layer, "b", shape))
    return builder.add(layer, "Add", [value[0], bias], value[1])


def _nin(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    """A dense layer over the channels, at every place."""
    name, shape = inputs[0]
    units, rank = int(options.pop("num_units")), len(shape) - 2
    kernel = builder.take(layer, "W", [shape[1], units]).T.reshape([units, shape[1]] + [1] * rank)
    operands = [name, builder.constant(layer, "W", kernel)]
    if options.pop("b", True) is not None:
        operands.append(builder.constant(layer, "b", builder.take(layer, "b", [units])))
    value = builder.add(layer, "Conv", operands, [shape[0], units, *shape[2:]], kernel_shape=[1] * rank)
    return builder.finish(layer, value, options, "rectify")


def _normalization(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    """(x - mean) * (gamma * inv_std) + beta; parameters beta, gamma, mean, inv_std."""
    name, shape = inputs[0]
    options.pop("epsilon", None)  # it is in inv_std already
    options.pop("alpha", None)
    axes = options.pop("axes", "auto")
    if axes != "auto" and axes != [0, *range(2, len(shape))]:
        raise layer.refuse(f"normalises over the axes {axes}")
    sizes = [shape[1]]
    beta = builder.take(layer, "beta", sizes) if options.pop("beta", True) is not None else np.zeros(sizes)
    gamma = builder.take(layer, "gamma", sizes) if options.pop("gamma", True) is not None else np.ones(sizes)
    mean, inverse = (builder.take(layer, what, sizes) for what in ("mean", "inv_std"))
    spread = [shape[1]] + [1] * (len(shape) - 2)
    scale = (gamma.astype(np.float64) * inverse).reshape(spread)
    moved = beta.reshape(spread) - mean.reshape(spread) * scale
    dtype = builder.network.float_dtype
    value = builder.add(layer, "Mul", [name, builder.constant(layer, "scale", scale.astype(dtype))], shape)
    return builder.add(layer, "Add", [value[0], builder.constant(layer, "shift", moved.astype(dtype))], shape)


def _response(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    """x / (k + alpha * sum over n channels of x^2)^beta; ONNX divides alpha by n."""
    (name, shape), size = inputs[0], int(options.pop("n", 5))
    attributes = {
        "size": size,
        "alpha": float(options.pop("alpha", 1e-4)) * size,
        "beta": float(options.pop("beta", 0.75)),
        "bias": float(options.pop("k", 2)),
    }
    return builder.add(layer, "LRN", [name], shape, **attributes)


def _per_channel(op: str, what: str) -> Callable[..., Value]:
    def handle(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
        name, shape = inputs[0]
        if options.pop("shared_axes", "auto") != "auto":
            raise layer.refuse("shares its parameters over axes of its own choice")
        spread = [shape[1]] + [1] * (len(shape) - 2)
        parameter = builder.take(layer, what, [shape[1]]).reshape(spread)
        return builder.add(layer, op, [name, builder.constant(layer, what, parameter)], shape)

    return handle


def _concat(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    axis = int(options.pop("axis", 1))
    if options.pop("cropping", None) is not None:
        raise layer.refuse("crops what it joins")
    shapes = [shape for _, shape in inputs]
    if any(
        len(s) != len(shapes[0]) or s[:axis] + s[axis + 1 :] != shapes[0][:axis] + shapes[0][axis + 1 :] for s in shapes
    ):
        raise layer.refuse(f"joins the shapes {shapes}")
    made = list(shapes[0])
    made[axis] = sum(shape[axis] for shape in shapes)
    return builder.add(layer, "Concat", [name for name, _ in inputs], made, axis=axis)


def _elementwise(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    how = "add" if layer.kind == "ElemwiseSumLayer" else str(options.pop("merge_function", "add"))
    ops = {"add": "Sum", "mul": "Mul", "maximum": "Max", "minimum": "Min"}
    if how not in ops or options.pop("cropping", None) is not None or options.pop("coeffs", 1) != 1:
        raise layer.refuse(f"joins by {how!r}, or crops or weighs what it joins")
    if any(shape != inputs[0][1] for _, shape in inputs):
        raise layer.refuse(f"joins the shapes {[shape for _, shape in inputs]}")
    if how == "mul":
        value = inputs[0]
        for other, _ in inputs[1:]:
            value = builder.add(layer, "Mul", [value[0], other], value[1])
        return value
    return builder.add(layer, ops[how], [name for name, _ in inputs], inputs[0][1])


def _flatten(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    (name, shape), outdim = inputs[0], int(options.pop("outdim", 2))
    return reshape(builder, layer, name, [*shape[: outdim - 1], prod(shape[outdim - 1 :])])


def _reshape(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    """-1 is what is left; [i] is the input's axis i."""
    name, shape = inputs[0]
    wanted = [shape[each[0]] if isinstance(each, list) else each for each in options.pop("shape")]
    if -1 in wanted:
        known = prod(each for each in wanted if each not in (-1, None))
        wanted[wanted.index(-1)] = prod(each for each in shape if each is not None) // max(known, 1)
    return reshape(builder, layer, name, wanted)


def _shuffle(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    (name, shape), pattern = inputs[0], options.pop("pattern")
    if sorted(each for each in pattern if each != "x") != list(range(len(shape))):
        raise layer.refuse(f"drops axes: {pattern}")
    order = [each for each in pattern if each != "x"]
    value = builder.add(layer, "Transpose", [name], [shape[axis] for axis in order], perm=order)
    new = [axis for axis, each in enumerate(pattern) if each == "x"]
    if not new:
        return value
    made = [1 if each == "x" else shape[each] for each in pattern]
    return builder.add(layer, "Unsqueeze", [value[0], builder.constant(layer, "axes", np.array(new))], made)


def _upscale(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    name, shape = inputs[0]
    factors = pair(layer, options.pop("scale_factor"), len(shape) - 2)
    if options.pop("mode", "repeat") != "repeat":
        raise layer.refuse("upscales by another way than repetition")
    scales = builder.constant(layer, "scales", np.array([1, 1, *factors], np.float32))
    made = [*shape[:2], *(dim * factor for dim, factor in zip(shape[2:], factors, strict=True))]
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return builder.add(layer, "Resize", [name, "", scales], made, **attributes)


def _pad(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    (name, shape), first = inputs[0], int(options.pop("batch_ndim", 2))
    width = options.pop("width")
    widths = width if isinstance(width, list) else [width] * (len(shape) - first)
    sides = [each if isinstance(each, list) else [each, each] for each in widths]
    front, behind = ([0] * first + [int(side[place]) for side in sides] for place in (0, 1))
    fill = builder.constant(layer, "value", np.array(options.pop("val", 0), builder.network.float_dtype))
    amount = builder.constant(layer, "widths", np.array(front + behind, np.int64))
    made = [dim if not a + b else dim + a + b for dim, a, b in zip(shape, front, behind, strict=True)]
    return builder.add(layer, "Pad", [name, amount, fill], made)


def _embedding(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    name, shape = inputs[0]
    sizes = [int(options.pop("input_size")), int(options.pop("output_size"))]
    table = builder.constant(layer, "W", builder.take(layer, "W", sizes))
    return builder.add(layer, "Gather", [table, name], [*shape, sizes[1]])


def _nothing(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    """Of dropout and noise nothing is left at inference."""
    options.clear()
    return builder.add(layer, "Identity", [inputs[0][0]], inputs[0][1])


def _activation(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    return builder.finish(layer, inputs[0], options, "rectify")


HANDLERS: dict[str, Callable[..., Value]] = {
    "DenseLayer": _dense,
    "NINLayer": _nin,
    "Conv1DLayer": windows.convolution(1),
    "Conv2DLayer": windows.convolution(2),
    "Conv3DLayer": windows.convolution(3),
    "DilatedConv2DLayer": windows.convolution(2),
    "TransposedConv2DLayer": windows.transposed,
    "Deconv2DLayer": windows.transposed,
    "MaxPool1DLayer": windows.pool(1, "max"),
    "MaxPool2DLayer": windows.pool(2, "max"),
    "MaxPool3DLayer": windows.pool(3, "max"),
    "Pool1DLayer": windows.pool(1, None),
    "Pool2DLayer": windows.pool(2, None),
    "GlobalPoolLayer": windows.global_pool,
    "BatchNormLayer": _normalization,
    "LocalResponseNormalization2DLayer": _response,
    "BiasLayer": _per_channel("Add", "b"),
    "ScaleLayer": _per_channel("Mul", "scales"),
    "ParametricRectifierLayer": _per_channel("PRelu", "alpha"),
    "ConcatLayer": _concat,
    "ElemwiseSumLayer": _elementwise,
    "ElemwiseMergeLayer": _elementwise,
    "FlattenLayer": _flatten,
    "ReshapeLayer": _reshape,
    "DimshuffleLayer": _shuffle,
    "Upscale1DLayer": _upscale,
    "Upscale2DLayer": _upscale,
    "PadLayer": _pad,
    "EmbeddingLayer": _embedding,
    "DropoutLayer": _nothing,
    "GaussianNoiseLayer": _nothing,
    "NonlinearityLayer": _activation,
}


def build(builder: Builder) -> None:
    """Every layer of its network. Raises Refused where the parameters do not fit the layers, naming the layer."""
    for layer in builder.network.layers:
        if layer.kind not in HANDLERS:
            raise layer.refuse(f"is a {layer.kind}, which is not covered")
        inputs = [builder.values[source] for source in layer.sources]
        options = dict(layer.options)
        try:
            value, shape = HANDLERS[layer.kind](builder, layer, inputs, options)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else f"does not fit: {error}"
            raise Refused(f"the layer {layer.name} {what}", node=layer.name, op=layer.kind) from None
        builder.values[layer.name] = builder.graph.node("Identity", [value], [layer.name], name=layer.name), shape
        if options:
            raise layer.refuse(f"has the arguments {', '.join(sorted(options))}, which are not covered")
    if builder.left:
        raise Refused(
            f"{len(builder.left)} parameters are left over: the first has the shape {builder.left[0].shape}",
            hint="does the description have all layers?",
        )
