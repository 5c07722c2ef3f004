"""Tensors that come from nowhere: zeros, ones, ranges."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net

MAX_ELEMENTS = 1 << 24


@handles("_zeros", "_ones", "_full", "_zeros_without_dtype", "_sparse_zeros")
def filled(net: Net, layer: Layer) -> str:
    """A dim of 0 is one that MXNet would infer (the batch of an RNN's first state): 1 here, which broadcasts."""
    a = layer.attributes
    a.ignore("ctx", "stype")
    value = {"_ones": 1.0, "_full": a.real("value", 0.0)}.get(layer.op, 0.0)
    shape, dtype = a.dims("shape"), a.text("dtype", "float32")
    if dtype == "-1":
        dtype = "float32"
    if len(shape) > 32 or min(shape, default=0) < 0:
        raise Refused(f"a tensor of shape {shape}")
    number = net.constant(np.asarray(value, dtype))
    return net.add("Expand", number, net.ints(*(size or 1 for size in shape)))


@handles("_arange", "_linspace")
def arange(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("ctx")
    start, stop, step = a.real("start", 0.0), a.text("stop", ""), a.real("step", 1.0)
    count, dtype = a.whole("repeat", 1), a.text("dtype", "float32")
    if a.flag("infer_range") or not 1 <= count <= MAX_ELEMENTS:
        raise Refused("a range of a length that is to be inferred is not supported", kind="unsupported")
    if layer.op == "_linspace":
        raise Refused("_linspace is not supported", kind="unsupported")
    first, last = (0.0, start) if not stop else (start, a.real("stop"))
    if not step or not np.isfinite([first, last, step]).all() or abs((last - first) / step) * count > MAX_ELEMENTS:
        raise Refused(f"a range from {first} to {last} in steps of {step}")
    return net.constant(np.repeat(np.arange(first, last, step), count).astype(dtype), layer.name)


@handles("_contrib_arange_like")
def arange_like(net: Net, layer: Layer) -> str:
    """As long as an axis; without an axis, in the shape of the whole."""
    a, data = layer.attributes, layer.inputs[0]
    a.ignore("ctx")
    start, step, axis = a.real("start", 0.0), a.real("step", 1.0), a.whole_or_none("axis")
    if a.whole("repeat", 1) != 1:
        raise Refused("repeat is not supported", kind="unsupported")
    if axis is None:
        count = net.add("Size", data)
    else:
        count = net.squeeze(net.add("Gather", net.add("Shape", data), net.ints(net.axis(data, axis)), axis=0), 0)
    places = net.add("Range", net.constant(np.int64(0)), count, net.constant(np.int64(1)))
    if axis is not None:
        places = net.know(places, [net.shape(data)[net.axis(data, axis)]])
    numbers = net.cast(places, net.dtype(data))
    made = net.add("Add", net.add("Mul", numbers, net.like(step, data)), net.like(start, data))
    return made if axis is not None else net.know(net.add("Reshape", made, net.add("Shape", data)), net.shape(data))


@handles("_eye")
def eye(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("ctx")
    rows, columns = a.whole("N"), a.whole("M", 0) or a.whole("N")
    if min(rows, columns) < 1 or rows * columns > MAX_ELEMENTS:
        raise Refused(f"an identity of {rows} x {columns}")
    return net.constant(np.eye(rows, columns, a.whole("k", 0), a.text("dtype", "float32")), layer.name)
