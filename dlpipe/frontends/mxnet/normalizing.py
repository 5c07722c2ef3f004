"""Normalisation layers."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net


@handles("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "_contrib_SyncBatchNorm", "_contrib_BatchNormWithReLU")
def batch_norm(net: Net, layer: Layer) -> str:
    """With the running statistics, as at inference. `fix_gamma`: the stored gamma is not used, 1 is."""
    a = layer.attributes
    a.ignore("momentum", "use_global_stats", "cudnn_off", "ndev", "key", "min_calib_range", "max_calib_range")
    if a.flag("output_mean_var"):
        raise Refused("output_mean_var is not supported", kind="unsupported")
    data, gamma, beta, mean, variance = layer.inputs
    axis, eps = net.axis(data, a.whole("axis", 1)), a.real("eps", 1e-3)
    if a.flag("fix_gamma", True):
        gamma = net.constant(np.ones(net.sizes(gamma), net.dtype(gamma)), f"{gamma}_fixed")
    rank = net.rank(data)
    order = [0, axis, *(each for each in range(1, rank) if each != axis)] if axis else [1, 0, *range(2, rank)]
    moved = net.transpose(data, order) if rank > 1 else data
    made = net.add("BatchNormalization", moved, gamma, beta, mean, variance, epsilon=eps)
    made = net.transpose(made, [order.index(each) for each in range(rank)]) if rank > 1 else made
    return net.add("Relu", made) if layer.op == "_contrib_BatchNormWithReLU" else made


@handles("InstanceNorm")
def instance_norm(net: Net, layer: Layer) -> str:
    return net.add("InstanceNormalization", *layer.inputs, epsilon=layer.attributes.real("eps", 1e-3))


@handles("LayerNorm", note="only its first output")
def layer_norm(net: Net, layer: Layer) -> str:
    a = layer.attributes
    if a.flag("output_mean_var"):
        raise Refused("output_mean_var is not supported", kind="unsupported")
    data, gamma, beta = layer.inputs
    rank, axis, eps = net.rank(data), net.axis(data, a.whole("axis", -1)), a.real("eps", 1e-5)
    order = [*(each for each in range(rank) if each != axis), axis]
    made = net.add("LayerNormalization", net.transpose(data, order), gamma, beta, axis=-1, epsilon=eps)
    return net.transpose(made, [order.index(each) for each in range(rank)])


@handles("GroupNorm", note="only its first output")
def group_norm(net: Net, layer: Layer) -> str:
    a = layer.attributes
    if a.flag("output_mean_var"):
        raise Refused("output_mean_var is not supported", kind="unsupported")
    data, gamma, beta = layer.inputs
    groups, eps = a.whole("num_groups", 1), a.real("eps", 1e-5)
    rank, channels = net.rank(data), net.size(data, 1)
    if groups < 1 or channels % groups:
        raise Refused(f"{channels} channels in {groups} groups")
    dtype, each = net.dtype(data), net.size(gamma, 0)
    grouped = net.reshape(data, [[0], groups, None])
    ones, zeros = net.constant(np.ones(groups, dtype)), net.constant(np.zeros(groups, dtype))
    made = net.add("InstanceNormalization", grouped, ones, zeros, epsilon=eps)
    if each == channels:
        made = net.reshape(made, [[0], *net_shape(net, data)])
        around = [1] * (rank - 2)
        made = net.add("Mul", made, net.add("Reshape", gamma, net.ints(channels, *around)))
        return net.add("Add", made, net.add("Reshape", beta, net.ints(channels, *around)))
    made = net.add("Mul", made, net.unsqueeze(gamma, 1))
    return net.reshape(net.add("Add", made, net.unsqueeze(beta, 1)), [[0], *net_shape(net, data)])


def net_shape(net: Net, value: str) -> list[int]:
    """All sizes but the first."""
    return [net.size(value, axis) for axis in range(1, net.rank(value))]


@handles("L2Normalization")
def l2_normalization(net: Net, layer: Layer) -> str:
    a = layer.attributes
    data, eps = layer.inputs[0], a.real("eps", 1e-10)
    rank = net.rank(data)
    mode = a.choice("mode", "instance", "channel", "spatial", default="instance")
    axes = {"instance": range(1, rank), "channel": range(1, 2), "spatial": range(2, rank)}[mode]
    square = net.add("ReduceSumSquare", data, net.ints(*axes), keepdims=1)
    return net.add("Div", data, net.add("Sqrt", net.add("Add", square, net.like(eps, data))))


@handles("LRN")
def local_response(net: Net, layer: Layer) -> str:
    a = layer.attributes
    size = a.whole("nsize")
    if size % 2 == 0:
        raise Refused("an even nsize is not supported", kind="unsupported")
    alpha, beta, bias = a.real("alpha", 1e-4), a.real("beta", 0.75), a.real("knorm", 2.0)
    return net.add("LRN", layer.inputs[0], alpha=alpha, beta=beta, bias=bias, size=size)


@handles("_image_normalize", "_npx__image_normalize")
def image_normalize(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    channels = net.size(data, -3)
    made = data
    for op, key, default in (("Sub", "mean", 0.0), ("Div", "std", 1.0)):
        values = a.reals(key, (default,))
        if len(values) not in (1, channels):
            values = values[:channels] if len(values) > channels else (values[0],)
        array = np.broadcast_to(np.asarray(values, net.dtype(data)), (channels,)).reshape(channels, 1, 1)
        made = net.add(op, made, net.constant(array))
    return made


@handles("_image_to_tensor", "_npx__image_to_tensor")
def image_to_tensor(net: Net, layer: Layer) -> str:
    """Channels first, 0 to 1."""
    data = layer.inputs[0]
    order = [2, 0, 1] if net.rank(data) == 3 else [0, 3, 1, 2]
    made = net.cast(net.transpose(data, order), np.float32)
    return net.add("Div", made, net.like(255.0, made))
