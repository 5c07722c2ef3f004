"""Sums, means, maxima, places of maxima, order."""

from __future__ import annotations

import math

import numpy as np
from dlpipe_worker import Refused

from .attributes import Attributes
from .handlers import Layer, handles
from .net import Net

_REDUCTIONS = {
    "sum": "ReduceSum",
    "sum_axis": "ReduceSum",
    "_sparse_sum": "ReduceSum",
    "mean": "ReduceMean",
    "_sparse_mean": "ReduceMean",
    "prod": "ReduceProd",
    "max": "ReduceMax",
    "max_axis": "ReduceMax",
    "min": "ReduceMin",
    "min_axis": "ReduceMin",
    "nansum": "ReduceSum",
    "nanprod": "ReduceProd",
}


def _axes(net: Net, data: str, attributes: Attributes, key: str = "axis") -> list[int]:
    """All where none is given; with `exclude`, all but those."""
    rank = net.rank(data)
    axes = sorted({net.axis(data, axis) for axis in attributes.dims(key)})
    if attributes.flag("exclude"):
        return [axis for axis in range(rank) if axis not in axes]
    return axes or list(range(rank))


def _at_least_one(net: Net, value: str) -> str:
    """MXNet's scalars have the shape (1,)."""
    return value if net.rank(value) else net.unsqueeze(value, 0)


@handles(*_REDUCTIONS)
def reduction(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    axes, keep = _axes(net, data, a), int(a.flag("keepdims"))
    if layer.op.startswith("nan"):
        data = net.add("Where", net.add("IsNaN", data), net.like(0 if layer.op == "nansum" else 1, data), data)
    if not axes:
        return data
    return _at_least_one(net, net.add(_REDUCTIONS[layer.op], data, net.ints(*axes), keepdims=keep))


@handles("norm", "_sparse_norm")
def norm(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    op = {1: "ReduceL1", 2: "ReduceL2"}.get(a.whole("ord", 2))
    if op is None:
        raise Refused(f"norm of order {a.whole('ord')}", kind="unsupported")
    if "out_dtype" in a:
        data = net.cast(data, a.text("out_dtype"))
    return _at_least_one(net, net.add(op, data, net.ints(*_axes(net, data, a)), keepdims=int(a.flag("keepdims"))))


@handles("moments")
def moments(net: Net, layer: Layer) -> list[str]:
    data, a = layer.inputs[0], layer.attributes
    axes, keep = net.ints(*_axes(net, data, a, "axes")), int(a.flag("keepdims"))
    mean = net.add("ReduceMean", data, axes, keepdims=1)
    spread = net.add("Sub", data, mean)
    variance = net.add("ReduceMean", net.add("Mul", spread, spread), axes, keepdims=keep)
    mean = mean if keep else net.add("ReduceMean", data, axes, keepdims=0)
    return [_at_least_one(net, mean), _at_least_one(net, variance)]


@handles("argmax", "argmin", "argmax_channel")
def argmax(net: Net, layer: Layer) -> str:
    """MXNet answers in float32."""
    data, a = layer.inputs[0], layer.attributes
    axis = 1 if layer.op == "argmax_channel" else a.whole_or_none("axis")
    keep = a.flag("keepdims")
    if axis is None:
        rank = net.rank(data)
        data, axis = net.reshape(data, [list(range(rank))]), 0
        found = net.add("ArgMin" if layer.op == "argmin" else "ArgMax", data, axis=0, keepdims=1)
        found = net.unsqueeze(found, *range(1, rank)) if keep else found
        return net.cast(found, np.float32)
    op = "ArgMin" if layer.op == "argmin" else "ArgMax"
    found = net.add(op, data, axis=net.axis(data, axis), keepdims=int(keep))
    return net.cast(_at_least_one(net, found), np.float32)


def _ordered(net: Net, layer: Layer, count: int | None, ascending: bool) -> tuple[str, str]:
    """(values, int64 places) along the axis; all of them where no count is given."""
    data, a = layer.inputs[0], layer.attributes
    axis = a.whole("axis", -1)
    if a.text("axis", "-1") == "None":
        raise Refused("sorting over all dims at once is not supported", kind="unsupported")
    axis = net.axis(data, axis)
    wanted = net.ints(count) if count else net.add("Gather", net.add("Shape", data), net.ints(axis), axis=0)
    values, places = net.add_many("TopK", 2, data, wanted, axis=axis, largest=int(not ascending), sorted=1)
    return values, places


@handles("topk", note="over one axis; where values are equal, the order of their places is ONNX's")
def topk(net: Net, layer: Layer) -> str | list[str]:
    a = layer.attributes
    count, dtype = a.whole("k", 1), a.text("dtype", "float32")
    kind = a.choice("ret_typ", "indices", "value", "both", "mask", default="indices")
    values, places = _ordered(net, layer, count if count > 0 else None, a.flag("is_ascend"))
    if kind == "value":
        return values
    if kind == "mask":
        data = layer.inputs[0]
        axis = net.axis(data, a.whole("axis", -1))
        zeros = net.add("Mul", data, net.like(0, data))
        ones = net.add("Add", net.add("Mul", values, net.like(0, values)), net.like(1, values))
        return net.add("ScatterElements", zeros, places, ones, axis=axis)
    numbers = net.cast(places, dtype)
    return numbers if kind == "indices" else [values, numbers]


@handles("sort", note="over one axis")
def sort(net: Net, layer: Layer) -> str:
    return _ordered(net, layer, None, layer.attributes.flag("is_ascend", True))[0]


@handles("argsort", note="over one axis; where values are equal, the order of their places is ONNX's")
def argsort(net: Net, layer: Layer) -> str:
    a = layer.attributes
    return net.cast(_ordered(net, layer, None, a.flag("is_ascend", True))[1], a.text("dtype", "float32"))


@handles("cumsum", "_np_cumsum")
def cumsum(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    axis = a.whole_or_none("axis")
    if "dtype" in a:
        data = net.cast(data, a.text("dtype"))
    if axis is None:
        data, axis = net.reshape(data, [list(range(net.rank(data)))]), 0
    return net.add("CumSum", data, net.constant(np.int64(net.axis(data, axis))))


def elements(net: Net, value: str) -> int:
    return math.prod(net.sizes(value))
