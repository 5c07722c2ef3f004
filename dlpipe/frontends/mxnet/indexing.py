"""Looking things up: Embedding, take, pick, one_hot, where."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net


def whole(net: Net, indices: str) -> str:
    """MXNet's indices come as float32 mostly: the fraction is cut off."""
    return net.cast(indices, np.int64)


def bounded(net: Net, indices: str, size: int, mode: str = "clip") -> str:
    """clip: the nearest valid index; wrap: modulo the size."""
    if mode == "wrap":
        return net.add("Mod", indices, net.constant(np.int64(size)))
    return net.add("Clip", indices, net.constant(np.int64(0)), net.constant(np.int64(size - 1)))


@handles("Embedding", "_sparse_Embedding", "_contrib_SparseEmbedding", "_npx_embedding")
def embedding(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("input_dim", "output_dim", "dtype", "sparse_grad", "deterministic")
    indices, weight = layer.inputs
    return net.add("Gather", weight, bounded(net, whole(net, indices), net.size(weight, 0)), axis=0)


@handles("take")
def take(net: Net, layer: Layer) -> str:
    data, indices = layer.inputs
    a = layer.attributes
    axis, mode = net.axis(data, a.whole("axis", 0)), a.choice("mode", "clip", "wrap", "raise", default="clip")
    places = whole(net, indices)
    if mode != "raise":
        places = bounded(net, places, net.size(data, axis), mode)
    return net.add("Gather", data, places, axis=axis)


@handles("pick", "choose_element_0index")
def pick(net: Net, layer: Layer) -> str:
    data, indices = layer.inputs
    a = layer.attributes
    axis, keep = net.axis(data, a.whole("axis", -1)), a.flag("keepdims")
    mode = a.choice("mode", "clip", "wrap", default="clip")
    places = bounded(net, whole(net, indices), net.size(data, axis), mode)
    if net.rank(places) < net.rank(data):
        places = net.unsqueeze(places, axis)
    found = net.add("GatherElements", data, places, axis=axis)
    return found if keep else net.squeeze(found, axis)


@handles("batch_take")
def batch_take(net: Net, layer: Layer) -> str:
    data, indices = layer.inputs
    places = net.unsqueeze(bounded(net, whole(net, indices), net.size(data, 1)), 1)
    return net.squeeze(net.add("GatherElements", data, places, axis=1), 1)


@handles("gather_nd")
def gather_nd(net: Net, layer: Layer) -> str:
    """MXNet has the coordinates on the first axis of the indices, ONNX on the last."""
    data, indices = layer.inputs
    rank = net.rank(indices)
    return net.add("GatherND", data, net.transpose(whole(net, indices), [*range(1, rank), 0]))


@handles("one_hot", "_npx_one_hot")
def one_hot(net: Net, layer: Layer) -> str:
    """An index that is out of range gives a row of off_value."""
    a, indices = layer.attributes, whole(net, layer.inputs[0])
    depth, dtype = a.whole("depth"), np.dtype(a.text("dtype", "float32"))
    if not 1 <= depth <= 1 << 24:
        raise Refused(f"one_hot of depth {depth}")
    hit = net.add("Equal", net.unsqueeze(indices, net.rank(indices)), net.constant(np.arange(depth)))
    on, off = (net.constant(np.asarray(value, dtype)) for value in (a.real("on_value", 1.0), a.real("off_value", 0.0)))
    return net.add("Where", hit, on, off)


@handles("where", "_sparse_where")
def where(net: Net, layer: Layer) -> str:
    """A condition of one dim chooses whole rows."""
    condition, left, right = layer.inputs
    condition = net.cast(condition, np.bool_)
    if net.rank(condition) == 1 and net.rank(left) > 1:
        condition = net.unsqueeze(condition, *range(1, net.rank(left)))
    return net.add("Where", condition, left, right)


@handles("SequenceMask")
def sequence_mask(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    value, axis = a.real("value", 0.0), a.whole("axis", 0)
    if not a.flag("use_sequence_length"):
        return data
    steps = net.size(data, axis)
    batch, rest = net.rank(data) - 1, net.rank(data) - 2
    lengths = whole(net, layer.inputs[1])
    lengths = net.unsqueeze(lengths, *([0] if axis == 0 else [1]), *range(2, 2 + rest))
    places = net.constant(np.arange(steps).reshape((steps, *[1] * batch) if axis == 0 else (1, steps, *[1] * rest)))
    return net.add("Where", net.add("Less", places, lengths), data, net.like(value, data))


@handles("SequenceLast")
def sequence_last(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    axis = a.whole("axis", 0)
    if not a.flag("use_sequence_length"):
        return net.add("Gather", data, net.constant(np.int64(-1)), axis=axis)
    last = net.add("Sub", whole(net, layer.inputs[1]), net.constant(np.int64(1)))
    rank = net.rank(data)
    rows = data if axis == 1 else net.transpose(data, [1, 0, *range(2, rank)])
    return net.add("GatherND", rows, net.unsqueeze(last, 1), batch_dims=1)


@handles("SequenceReverse")
def sequence_reverse(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    if a.whole("axis", 0) != 0:
        raise Refused("SequenceReverse has time on axis 0", kind="unsupported")
    if not a.flag("use_sequence_length"):
        return net.slice(data, 0, (1 << 63) - 1, -(1 << 63) + 1, -1)
    return net.add("ReverseSequence", data, whole(net, layer.inputs[1]), time_axis=0, batch_axis=1)
