"""Lasagne's layers -> ONNX. Lasagne's convolution turns its kernels round (`flip_filters`), as Theano's does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.emit import Graph
from .description import INPUT, Layer, Network
from .nonlinearities import nonlinearity

Shape = list[Any]  # None for the batch
Value = tuple[str, Shape]


class Builder:
    """Takes the parameters one by one, and knows the shape of every value."""

    def __init__(self, network: Network, parameters: Sequence[Any], graph: Graph) -> None:
        self.graph = graph
        self.network = network
        self._left = list(parameters)
        self.values: dict[str, Value] = {INPUT: (INPUT, network.shape)}

    def build(self) -> None:
        """Raises Refused where the parameters do not fit the layers, naming the layer."""
        for layer in self.network.layers:
            if layer.kind not in HANDLERS:
                raise layer.refuse(f"is a {layer.kind}, which is not covered")
            inputs = [self.values[source] for source in layer.sources]
            options = dict(layer.options)
            try:
                value, shape = HANDLERS[layer.kind](self, layer, inputs, options)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
                what = f"lacks {error}" if isinstance(error, KeyError) else f"does not fit: {error}"
                raise Refused(f"the layer {layer.name} {what}", node=layer.name, op=layer.kind) from None
            self.values[layer.name] = self.graph.node("Identity", [value], [layer.name], name=layer.name), shape
            if options:
                raise layer.refuse(f"has the arguments {', '.join(sorted(options))}, which are not covered")
        if self._left:
            raise Refused(
                f"{len(self._left)} parameters are left over: the first has the shape {self._left[0].shape}",
                hint="does the description have all layers?",
            )

    def take(self, layer: Layer, what: str, shape: Sequence[int]) -> Any:
        """The next parameter, as float32 or as it is. Raises Refused where it has another shape."""
        if not self._left:
            raise Refused(
                f"the layer {layer.name} needs a parameter {what}, and none is left", node=layer.name, op=layer.kind
            )
        found = self._left.pop(0)
        if list(found.shape) != list(shape):
            raise Refused(
                f"the layer {layer.name} needs {what} of the shape {tuple(shape)}; the next one has {found.shape}",
                node=layer.name,
                op=layer.kind,
            )
        return found.astype(self.network.float_dtype if found.dtype.kind == "f" else found.dtype)

    def add(self, layer: Layer, op: str, inputs: Sequence[str], shape: Shape, **attributes: Any) -> Value:
        return self.graph.node(op, inputs, name=f"{layer.name}/{op}", **attributes), shape

    def constant(self, layer: Layer, what: str, array: Any) -> str:
        return self.graph.constant(np.asarray(array), f"{layer.name}.{what}")

    def finish(self, layer: Layer, value: Value, options: dict[str, Any], default: str) -> Value:
        """With the layer's nonlinearity."""
        made: Value = nonlinearity(self, layer, value, options.pop("nonlinearity", default))
        return made


def pair(layer: Layer, value: Any, rank: int) -> list[int]:
    values = value if isinstance(value, list) else [value] * rank
    if len(values) != rank or not all(isinstance(each, int) and each >= 0 for each in values):
        raise layer.refuse(f"has the size {value!r}, where {rank} whole numbers are expected")
    return values


def pads(layer: Layer, value: Any, reach: Sequence[int]) -> list[int]:
    if value == "same":
        if any(size % 2 == 0 for size in reach):
            raise layer.refuse("pads an even kernel by 'same', which Lasagne does not take")
        return [size // 2 for size in reach]
    if value == "full":
        return [size - 1 for size in reach]
    return pair(layer, 0 if value == "valid" else value, len(reach))


def positive(layer: Layer, shape: Shape) -> Shape:
    if any(dim is not None and dim < 1 for dim in shape):
        raise layer.refuse(f"leaves nothing of its input: the shape would be {shape}")
    return shape


def _convolution(rank: int) -> Callable[..., Value]:
    def handle(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
        (name, shape), kind = inputs[0], layer.kind
        if len(shape) != rank + 2:
            raise layer.refuse(f"takes {rank + 2} axes, its input has {len(shape)}")
        filters, size = int(options.pop("num_filters")), pair(layer, options.pop("filter_size"), rank)
        stride = pair(layer, options.pop("stride", 1), rank)
        dilation = pair(layer, options.pop("dilation", 1), rank) if kind == "DilatedConv2DLayer" else [1] * rank
        groups = int(options.pop("num_groups", 1))
        reach = [(each - 1) * step + 1 for each, step in zip(size, dilation, strict=True)]
        pad = pads(layer, options.pop("pad", 0), reach)
        kernel_shape = [filters, shape[1] // groups, *size]
        if kind == "DilatedConv2DLayer":
            kernel_shape[:2] = kernel_shape[1::-1]
        kernel = builder.take(layer, "W", kernel_shape)
        flips = options.pop("flip_filters", kind != "DilatedConv2DLayer")
        if flips and kind == "DilatedConv2DLayer":
            raise layer.refuse("turns the kernels of a dilated convolution round")
        if kind == "DilatedConv2DLayer":
            kernel = np.swapaxes(kernel, 0, 1)
        if flips:
            kernel = kernel[(slice(None), slice(None)) + (slice(None, None, -1),) * rank]
        operands = [name, builder.constant(layer, "W", kernel)]
        untied = options.pop("untie_biases", False)
        biased = options.pop("b", True) is not None
        spatial = [
            (dim + 2 * p - each) // step + 1 for dim, p, each, step in zip(shape[2:], pad, reach, stride, strict=True)
        ]
        made = positive(layer, [shape[0], filters, *spatial])
        if biased and not untied:
            operands.append(builder.constant(layer, "b", builder.take(layer, "b", [filters])))
        attributes = {"kernel_shape": size, "strides": stride, "dilations": dilation, "pads": pad * 2, "group": groups}
        value = builder.add(layer, "Conv", operands, made, **attributes)
        if biased and untied:
            bias = builder.constant(layer, "b", builder.take(layer, "b", [filters, *spatial]))
            value = builder.add(layer, "Add", [value[0], bias], made)
        return builder.finish(layer, value, options, "rectify")

    return handle


def _transposed(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    name, shape = inputs[0]
    filters, size = int(options.pop("num_filters")), pair(layer, options.pop("filter_size"), 2)
    stride, crop = pair(layer, options.pop("stride", 1), 2), pads(layer, options.pop("crop", 0), size)
    kernel = builder.take(layer, "W", [shape[1], filters, *size])
    if not options.pop("flip_filters", False):  # then the convolution that this one transposes turns its kernels
        kernel = kernel[:, :, ::-1, ::-1]
    operands = [name, builder.constant(layer, "W", kernel)]
    if options.pop("b", True) is not None:
        operands.append(builder.constant(layer, "b", builder.take(layer, "b", [filters])))
    spatial = [(d - 1) * s + k - 2 * c for d, s, k, c in zip(shape[2:], stride, size, crop, strict=True)]
    made = positive(layer, [shape[0], filters, *spatial])
    attributes = {"kernel_shape": size, "strides": stride, "pads": crop * 2}
    return builder.finish(layer, builder.add(layer, "ConvTranspose", operands, made, **attributes), options, "rectify")


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


def reshape(builder: Builder, layer: Layer, name: str, shape: Shape) -> Value:
    wanted = [0 if axis == 0 and dim is None else dim for axis, dim in enumerate(shape)]
    if None in wanted:
        raise layer.refuse("reshapes a free axis that is not the first")
    return builder.add(layer, "Reshape", [name, builder.constant(layer, "shape", np.array(wanted, np.int64))], shape)


def _pool(rank: int, mode: str | None) -> Callable[..., Value]:
    def handle(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
        name, shape = inputs[0]
        size = pair(layer, options.pop("pool_size"), rank)
        given = options.pop("stride", None)
        stride, pad = size if given is None else pair(layer, given, rank), pair(layer, options.pop("pad", 0), rank)
        how = mode or options.pop("mode", "max")
        whole = options.pop("ignore_border", True)
        if not whole and (how != "max" or any(pad)):
            raise layer.refuse("pools windows that reach beyond the border by another way than max")
        spatial = []
        for dim, each, step, p in zip(shape[2:], size, stride, pad, strict=True):
            if whole:
                spatial.append((dim + 2 * p - each) // step + 1)
            else:
                spatial.append((dim - 1) // step + 1 if step >= each else max(0, (dim - 1 - each + step) // step) + 1)
        attributes: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": pad * 2}
        if not whole:  # written out, because rounding up in ONNX leaves windows out that begin beyond the border
            ends = [
                max((n - 1) * step + each - dim, 0)
                for n, dim, each, step in zip(spatial, shape[2:], size, stride, strict=True)
            ]
            attributes["pads"] = pad + ends
        if how not in ("max", "average_inc_pad", "average_exc_pad"):
            raise layer.refuse(f"pools by {how!r}")
        if how != "max":
            attributes["count_include_pad"] = int(how == "average_inc_pad")
        made = positive(layer, [*shape[:2], *spatial])
        return builder.add(layer, "MaxPool" if how == "max" else "AveragePool", [name], made, **attributes)

    return handle


def _global_pool(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    (name, shape), how = inputs[0], options.pop("pool_function", "mean")
    if how not in ("mean", "max", "sum"):
        raise layer.refuse(f"pools by {how!r}")
    axes = builder.constant(layer, "axes", np.arange(2, len(shape)))
    return builder.add(layer, f"Reduce{how.capitalize()}", [name, axes], shape[:2], keepdims=0)


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
    "Conv1DLayer": _convolution(1),
    "Conv2DLayer": _convolution(2),
    "Conv3DLayer": _convolution(3),
    "DilatedConv2DLayer": _convolution(2),
    "TransposedConv2DLayer": _transposed,
    "Deconv2DLayer": _transposed,
    "MaxPool1DLayer": _pool(1, "max"),
    "MaxPool2DLayer": _pool(2, "max"),
    "MaxPool3DLayer": _pool(3, "max"),
    "Pool1DLayer": _pool(1, None),
    "Pool2DLayer": _pool(2, None),
    "GlobalPoolLayer": _global_pool,
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
