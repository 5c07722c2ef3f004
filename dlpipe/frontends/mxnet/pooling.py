"""Pooling, in MXNet's three conventions of how far the last window may reach."""

from __future__ import annotations

import math

import numpy as np
from dlpipe_worker import Refused

from .convolving import channels_first, fits, padding
from .handlers import Layer, handles
from .net import Net

_GLOBAL = {"max": "GlobalMaxPool", "avg": "GlobalAveragePool", "sum": "GlobalAveragePool", "lp": "GlobalLpPool"}


@handles("Pooling", note="channels first; a last window that lies wholly in the padding is refused")
def pooling(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("cudnn_off")
    channels_first(a)
    data, kind = layer.inputs[0], a.choice("pool_type", "max", "avg", "sum", "lp", default="max")
    power = a.whole("p_value", 2) if kind == "lp" else None
    kernel = list(a.dims("kernel"))
    rank = len(kernel) or net.rank(data) - 2
    convention = a.choice("pooling_convention", "valid", "full", "same", default="valid")
    stride, pad = list(a.dims("stride", (1,) * rank)), padding(a, rank)
    counted = a.flag("count_include_pad", True)
    if a.flag("global_pool"):
        made = net.add(_GLOBAL[kind], data, p=power)
        area = math.prod(net.size(data, axis) for axis in range(2, net.rank(data))) if kind == "sum" else 1
        return made if kind != "sum" else net.add("Mul", made, net.like(area, made))
    extra = _extra(net, data, kernel, stride, pad, convention)
    if kind == "max":
        pads = _whole_windows(kernel, pad, extra)
        return net.add("MaxPool", data, kernel_shape=kernel, strides=stride, pads=pads)
    if kind == "lp":
        pads = _whole_windows(kernel, pad, extra)
        return net.add("LpPool", data, kernel_shape=kernel, strides=stride, pads=pads, p=power)
    if kind == "sum":
        made = _average(net, _zeros_around(net, data, pad, extra), kernel, stride, [0] * rank, [0] * rank)
        return net.add("Mul", made, net.like(math.prod(kernel), made))
    if counted:  # the declared padding counts; what the convention adds behind it does not
        return _average(net, _zeros_around(net, data, pad, [0] * rank), kernel, stride, [0] * rank, extra)
    return _average(net, data, kernel, stride, pad, extra)


@handles("Pooling_v1")
def pooling_v1(net: Net, layer: Layer) -> str:
    """The first implementation: zeros around take part in maxima, and averages divide by the whole kernel."""
    a = layer.attributes
    data, kind = layer.inputs[0], a.choice("pool_type", "max", "avg", "sum", default="max")
    kernel = list(a.dims("kernel"))
    rank = len(kernel) or 2
    convention = a.choice("pooling_convention", "valid", "full", default="valid")
    stride, pad = list(a.dims("stride", (1,) * rank)), padding(a, rank)
    if a.flag("global_pool"):
        kernel, stride, pad = [net.size(data, 2 + axis) for axis in range(rank)], [1] * rank, [0] * rank
    extra = _extra(net, data, kernel, stride, pad, convention)
    if kind == "max":
        around = _zeros_around(net, data, pad, [0] * rank)
        return net.add("MaxPool", around, kernel_shape=kernel, strides=stride, pads=[0] * rank + extra)
    made = _average(net, _zeros_around(net, data, pad, extra), kernel, stride, [0] * rank, [0] * rank)
    return net.add("Mul", made, net.like(math.prod(kernel), made)) if kind == "sum" else made


@handles("_contrib_AdaptiveAvgPooling2D", "_contrib_adaptive_avg_pooling2d")
def adaptive_average(net: Net, layer: Layer) -> str:
    """Each output is the mean of rows floor(i H / h) to ceil((i + 1) H / h): a product with two matrices."""
    data, size = layer.inputs[0], layer.attributes.dims("output_size", (1,))
    height, width = size if len(size) == 2 else (size[0], size[0])
    if (height, width) == (1, 1):
        return net.add("GlobalAveragePool", data)
    rows, columns = _means(net.size(data, 2), height), _means(net.size(data, 3), width)
    dtype = net.dtype(data)
    made = net.add("MatMul", net.constant(rows.astype(dtype)), data)
    return net.add("MatMul", made, net.constant(columns.T.astype(dtype)))


def _means(size: int, wanted: int) -> np.ndarray:
    matrix = np.zeros((wanted, size))
    for row in range(wanted):
        begin, end = row * size // wanted, -(-(row + 1) * size // wanted)
        matrix[row, begin:end] = 1 / (end - begin)
    return matrix


def _extra(net: Net, data: str, kernel: list[int], stride: list[int], pad: list[int], convention: str) -> list[int]:
    """By how much the last window of each axis reaches beyond the padded input."""
    if len(stride) != len(kernel) or net.rank(data) != len(kernel) + 2 or min(stride) < 1 or min(kernel) < 1:
        raise Refused(f"kernel {kernel} with stride {stride} on a tensor with {net.rank(data)} dims")
    fits(net, data, kernel, pad)
    if convention == "valid":
        return [0] * len(kernel)
    found = []
    for axis, (reach, step, around) in enumerate(zip(kernel, stride, pad, strict=True)):
        size = net.size(data, 2 + axis) + 2 * around
        count = 1 + -(-(size - reach) // step) if convention == "full" else -(-size // step)
        extra = (count - 1) * step + reach - size
        if extra < 0 and (size - reach) // step + 1 != count:
            raise Refused(f"pooling_convention {convention} gives fewer outputs than windows fit", "unsupported")
        found.append(max(extra, 0))
    return found


def _whole_windows(kernel: list[int], pad: list[int], extra: list[int]) -> list[int]:
    ends = [before + more for before, more in zip(pad, extra, strict=True)]
    if any(end >= reach for end, reach in zip(ends, kernel, strict=True)):
        raise Refused("a window lies wholly in the padding", kind="unsupported")
    return pad + ends


def _zeros_around(net: Net, data: str, pad: list[int], extra: list[int]) -> str:
    if not any(pad) and not any(extra):
        return data
    ends = [before + more for before, more in zip(pad, extra, strict=True)]
    return net.add("Pad", data, net.ints(0, 0, *pad, 0, 0, *ends))


def _average(net: Net, data: str, kernel: list[int], stride: list[int], pad: list[int], extra: list[int]) -> str:
    """Over what of each window is real."""
    pads = _whole_windows(kernel, pad, extra)
    return net.add("AveragePool", data, kernel_shape=kernel, strides=stride, pads=pads, count_include_pad=0)
