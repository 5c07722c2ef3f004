"""Convolution, Deconvolution, FullyConnected and what is made of them."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from .attributes import Attributes
from .handlers import Layer, handles
from .net import Net

TUNING = ("workspace", "cudnn_tune", "cudnn_off")


def channels_first(attributes: Attributes) -> None:
    attributes.choice("layout", "NCW", "NCHW", "NCDHW", default="NCHW")


def window(attributes: Attributes) -> dict[str, list[int]]:
    """kernel_shape, strides, dilations of a convolution."""
    kernel = attributes.dims("kernel")
    if not kernel or min(kernel) < 1:
        raise Refused(f"a kernel of shape {kernel}")
    ones = (1,) * len(kernel)
    found = {
        "kernel_shape": list(kernel),
        "strides": list(attributes.dims("stride", ones)),
        "dilations": list(attributes.dims("dilate", ones)),
    }
    if any(len(each) != len(kernel) for each in found.values()):
        raise Refused("kernel, stride and dilate have different numbers of dims")
    return found


def padding(attributes: Attributes, rank: int) -> list[int]:
    """Per axis, the same on both sides."""
    pad = list(attributes.dims("pad", (0,) * rank))
    if len(pad) != rank:
        raise Refused("kernel and pad have different numbers of dims")
    return pad


def fits(net: Net, data: str, reach: list[int], pad: list[int]) -> None:
    """Raises Refused where a window is larger than what it moves over, which ONNX's inference lets pass."""
    for dim, size, around in zip(net.shape(data)[2:], reach, pad, strict=True):
        if isinstance(dim, int) and size > dim + 2 * around:
            raise Refused(f"a window of {size} does not fit into {dim} padded by {around}")


@handles("Convolution", "Convolution_v1", note="channels first; MXNet itself has channels last on GPUs only")
def convolution(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore(*TUNING)
    channels_first(a)
    a.whole("num_filter")
    pad = padding(a, len(a.dims("kernel")))
    shape = window(a)
    reach = [(size - 1) * step + 1 for size, step in zip(shape["kernel_shape"], shape["dilations"], strict=True)]
    fits(net, layer.inputs[0], reach, pad)
    inputs = layer.inputs[:2] if a.flag("no_bias") else layer.inputs[:3]
    return net.add("Conv", *inputs, group=a.whole("num_group", 1), pads=pad * 2, **shape)


@handles("Deconvolution", note="channels first; MXNet itself has channels last on GPUs only")
def deconvolution(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore(*TUNING)
    channels_first(a)
    a.whole("num_filter")
    shape = window(a)
    rank = len(shape["kernel_shape"])
    pad, adjust = padding(a, rank), list(a.dims("adj", (0,) * rank))
    target = a.dims("target_shape", (0,) * rank)
    if any(target):
        for axis in range(rank):
            reach = (shape["kernel_shape"][axis] - 1) * shape["dilations"][axis] + 1
            surplus = shape["strides"][axis] * (net.size(layer.inputs[0], 2 + axis) - 1) + reach - target[axis]
            if surplus < 0:
                raise Refused(f"target_shape {target} is larger than the output can be")
            pad[axis], adjust[axis] = (surplus + 1) // 2, surplus % 2
    inputs = layer.inputs[:2] if a.flag("no_bias", True) else layer.inputs[:3]
    group = a.whole("num_group", 1)
    return net.add("ConvTranspose", *inputs, group=group, pads=pad * 2, output_padding=adjust, **shape)


@handles("FullyConnected", "_sparse_FullyConnected")
def fully_connected(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.whole("num_hidden")
    data, weight = layer.inputs[:2]
    bias = [] if a.flag("no_bias") else layer.inputs[2:3]
    rank = net.rank(data)
    if a.flag("flatten", True) and rank != 2:
        data = net.add("Flatten", data, axis=1) if rank > 1 else net.unsqueeze(data, 0)
        rank = 2
    if rank == 2:
        return net.add("Gemm", data, weight, *bias, transB=1)
    made = net.add("MatMul", data, net.add("Transpose", weight, perm=[1, 0]))
    return net.add("Add", made, bias[0]) if bias else made


@handles("UpSampling")
def up_sampling(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("workspace", "num_args")
    scale, filters = a.whole("scale"), a.whole("num_filter", 0)
    mode = a.choice("multi_input_mode", "concat", "sum", default="concat")
    if a.choice("sample_type", "nearest", "bilinear") == "bilinear":
        return _bilinear(net, layer, scale, filters)
    height = _height(net, layer.inputs[0]) * scale if len(layer.inputs) > 1 else 0
    made = []
    for each in layer.inputs:
        factor = scale if len(layer.inputs) == 1 else height // net.size(each, 2)
        made.append(nearest(net, each, factor))
    if len(made) == 1:
        return made[0]
    return net.add("Concat", *made, axis=1) if mode == "concat" else net.add("Sum", *made)


def _height(net: Net, value: str) -> int:
    return net.size(value, 2)


def nearest(net: Net, value: str, scale: int) -> str:
    factors = net.constant(np.asarray([1, 1, scale, scale], np.float32))
    return net.add(
        "Resize",
        value,
        "",
        factors,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _bilinear(net: Net, layer: Layer, scale: int, filters: int) -> str:
    """A deconvolution of each channel with the kernel in the second input, as MXNet makes it."""
    data, weight = layer.inputs
    kernel, pad = 2 * scale - scale % 2, -((1 - scale) // 2)
    if filters and net.size(data, 1) != filters:
        raise Refused(f"num_filter {filters} on {net.size(data, 1)} channels")
    return net.add(
        "ConvTranspose",
        data,
        weight,
        group=net.size(data, 1),
        kernel_shape=[kernel, kernel],
        strides=[scale, scale],
        pads=[pad] * 4,
    )
