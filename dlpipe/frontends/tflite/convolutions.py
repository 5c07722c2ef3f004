"""Convolutions. Weights become constants in ONNX's order here; images stay NCHW until somebody needs them otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .handlers import handles
from .hybrid import is_hybrid, rounded
from .reading import Operator, Quantisation
from .schema import ACTIVATIONS
from .scope import Scope
from .weights import numpy_dtype
from .windows import padding, pads, strides


@handles("CONV_2D")
def conv_2d(scope: Scope, op: Operator) -> None:
    """Weights [out, height, width, in / groups]."""
    _conv(scope, op, (0, 3, 1, 2), 0)


@handles("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(scope: Scope, op: Operator) -> None:
    """Weights [1, height, width, in * multiplier]."""
    _conv(scope, op, (3, 0, 1, 2), 3)


def _conv(scope: Scope, op: Operator, order: Sequence[int], channel_axis: int) -> None:
    data, weights = op.inputs[0], op.inputs[1]
    shape = scope.shape(op, weights)
    channels = scope.tensor(data).shape[3] if scope.rank(data) == 4 else None
    if len(shape) != 4 or channels is None:
        raise op.refuse("is not one of images with a known number of channels")
    within = 1 if channel_axis == 3 else shape[3]
    if not within or channels % within:
        raise op.refuse(f"has weights for {within} channels and an input of {channels}")
    kernel, step, dilation = list(shape[1:3]), strides(op), [op.options["dilation_h"], op.options["dilation_w"]]
    x = scope.real(data, True)
    if is_hybrid(scope, data, weights):
        # What is a product of matrices to LiteRT has a range for each pixel, everything else one for each picture.
        pixelwise = op.op == "CONV_2D" and kernel == step == [1, 1] and within == channels
        x = rounded(scope, x, scope.name(op.outputs[0]), [1] if pixelwise else [1, 2, 3])
    inputs = [x, kernel_value(scope, op, weights, order, channel_axis)]
    if scope.has(op, 2):
        inputs.append(bias_value(scope, op, data, weights, op.inputs[2]))
    scope.result(
        op.outputs[0],
        "Conv",
        inputs,
        real=True,
        nchw=True,
        activation=ACTIVATIONS[op.options["activation"]],
        kernel_shape=kernel,
        strides=step,
        dilations=dilation,
        group=channels // within,
        **pads(op, scope.tensor(data).shape[1:3], kernel, step, dilation),
    )


@handles("TRANSPOSE_CONV")
def transpose_conv(scope: Scope, op: Operator) -> None:
    """Inputs: output shape, weights [out, height, width, in], data, bias."""
    weights, data, out = op.inputs[1], op.inputs[2], op.outputs[0]
    shape = scope.shape(op, weights)
    step = strides(op)
    wanted = scope.array(op.inputs[0])
    sizes = [int(each) for each in wanted[1:3]] if wanted is not None else list(scope.shape(op, out)[1:3])
    given = scope.tensor(data).shape[1:3]
    if len(shape) != 4 or None in given:
        raise op.refuse("has an input of free height or width", hint="fix the input's shape: --shape")
    before, after, more = [], [], []
    for size, inside, width, stride in zip(sizes, given, shape[1:3], step, strict=True):
        assert inside is not None
        # Padding is that of the forward convolution from the output's size.
        forward = -(-size // stride) if padding(op) == "SAME" else -(-(size - width + 1) // stride)
        first = max((forward - 1) * stride + width - size, 0) // 2
        last = (inside - 1) * stride + width - first - size
        before.append(first)
        after.append(max(last, 0))
        more.append(max(-last, 0))
    if any(each >= stride for each, stride in zip(more, step, strict=True)):
        raise op.refuse(f"makes an output of {sizes} from an input of {list(given)}")
    x = scope.real(data, True)
    if is_hybrid(scope, data, weights):
        x = rounded(scope, x, scope.name(out), [1, 2, 3])
    inputs = [x, kernel_value(scope, op, weights, (3, 0, 1, 2), 0, turned=True)]
    if scope.has(op, 3):
        inputs.append(bias_value(scope, op, data, weights, op.inputs[3]))
    scope.result(
        out,
        "ConvTranspose",
        inputs,
        real=True,
        nchw=True,
        activation=ACTIVATIONS[op.options["activation"]],
        kernel_shape=list(shape[1:3]),
        strides=step,
        pads=[*before, *after],
        output_padding=more,
    )


@handles("CONV_3D")
def conv_3d(scope: Scope, op: Operator) -> None:
    """Data [N, depth, height, width, channels], weights [depth, height, width, in, out]."""
    data, weights, out = op.inputs[0], op.inputs[1], op.outputs[0]
    if scope.quantisation(data) or scope.quantisation(weights):
        raise op.refuse("is quantised")
    shape = scope.shape(op, weights)
    step = strides(op, ("stride_d", "stride_h", "stride_w"))
    dilation = [int(op.options[f"dilation_{each}"]) for each in "dhw"]
    name = scope.name(out)
    x = scope.node("Transpose", [scope.stored(data)], f"{name}__in", perm=[0, 4, 1, 2, 3])
    w = scope.node("Transpose", [scope.stored(weights)], f"{name}__weights", perm=[4, 3, 0, 1, 2])
    inputs = [x, w, *([scope.stored(op.inputs[2])] if scope.has(op, 2) else [])]
    made = scope.node(
        "Conv",
        inputs,
        name,
        kernel_shape=list(shape[:3]),
        strides=step,
        dilations=dilation,
        **pads(op, scope.tensor(data).shape[1:4], shape[:3], step, dilation),
    )
    scope.result(
        out, "Transpose", [made], activation=ACTIVATIONS[op.options["activation"]], real=True, perm=[0, 2, 3, 4, 1]
    )


def kernel_value(
    scope: Scope, op: Operator, index: int, order: Sequence[int], channel_axis: int, *, turned: bool = False
) -> str:
    """The weights in the order of ONNX, dequantised. turned: output channels are then the second dim."""
    array, name = scope.array(index), scope.name(index)
    if array is None:
        return scope.node("Transpose", [scope.real(index)], f"{name}__order", perm=list(order))
    quantisation = scope.quantisation(index)
    value = scope.const(array.transpose(order), f"{name}__order")
    if quantisation is None:
        return value
    if quantisation.per_channel and quantisation.axis != channel_axis:
        raise op.refuse(f"has weights with a scale for each index of the dim {quantisation.axis}")
    axis = (1 if turned else 0) if quantisation.per_channel else None
    parameters = scope.quantisers(quantisation, scope.tensor(index).dtype, name)
    return scope.node("DequantizeLinear", [value, *parameters], f"{name}__real", axis=axis)


def bias_value(scope: Scope, op: Operator, data: int, weights: int, bias: int) -> str:
    """An integer bias has the scale of the data times that of the weights, whatever the file says of it."""
    tensor, (of_data, of_weights) = scope.tensor(bias), (scope.quantisation(data), scope.quantisation(weights))
    if not tensor.dtype.startswith("int"):
        return scope.stored(bias)
    array = scope.array(bias)
    if of_data is None or of_weights is None or array is None or of_data.per_channel:
        raise op.refuse("has an integer bias without a scale, or a computed one")
    scale = (of_data.scale.astype(np.float64) * of_weights.scale).astype(np.float32)
    if scale.size not in (1, array.size):
        raise op.refuse(f"has {array.size} biases and {scale.size} scales")
    name = scope.name(bias)
    if numpy_dtype(tensor.dtype) != "int32":  # 64 bits: no DequantizeLinear takes them
        return scope.const(array.astype(np.float64) * scale, f"{name}__real", "float32")
    found = Quantisation(scale, np.zeros(scale.shape, np.int64), 0)
    parameters = scope.quantisers(found, "int32", name)
    axis = 0 if found.per_channel else None
    return scope.node("DequantizeLinear", [scope.const(array, name), *parameters], f"{name}__real", axis=axis)
