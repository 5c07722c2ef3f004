"""Convolutions and pooling: paddings are written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .table import writes
from .text import Text

_GIVEN: dict[str, Any] = {"auto_pad": "NOTSET", "dilations": None, "kernel_shape": None, "pads": None, "strides": None}
Pads = list[tuple[int, int]]


def pads_of(
    text: Text, given: dict[str, Any], size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Pads:
    """Such that the operator's own output shape comes of it, with NNEF's rounding down."""
    count = len(size)
    spans = [(each - 1) * step + 1 for each, step in zip(size, dilation, strict=True)]
    before, after = text.shape(text.input(0))[2:], text.shape(text.node.output[0])[2:]
    declared = given["pads"] or [0] * (2 * count)
    pads: Pads = []
    for axis in range(count):
        needed = (after[axis] - 1) * stride[axis] + spans[axis] - before[axis]
        first, last = declared[axis], declared[axis + count]
        if given["auto_pad"].startswith("SAME"):
            total = max(needed, 0)
            first = total // 2 if given["auto_pad"] == "SAME_UPPER" else total - total // 2
            last = total - first
        elif given["auto_pad"] == "VALID":
            first = last = 0
        if (before[axis] + first + last - spans[axis]) // stride[axis] + 1 != after[axis]:
            last = needed - first  # ceil_mode
        if min(first, last) < 0:
            text.fail(f"a padding of {first} and {last}")
        pads.append((first, last))
    return pads


def _window(given: dict[str, Any], size: Sequence[int]) -> tuple[list[int], list[int]]:
    count = len(size)
    return list(given["strides"] or [1] * count), list(given["dilations"] or [1] * count)


def _bias(text: Text) -> list[Any]:
    name = text.input(2)
    if not name:
        return []
    if text.array(name) is not None:
        return [text.tensor(name, [1, text.shape(name)[0]])]
    return [text.call("unsqueeze", text.tensor(name), axes=[0])]


@writes("Conv")
def _conv(text: Text) -> None:
    given = text.attributes(**_GIVEN, group=1)
    size = text.shape(text.input(1))[2:]
    stride, dilation = _window(given, size)
    text.call(
        "conv",
        text.tensor(text.input(0)),
        text.tensor(text.input(1)),
        *_bias(text),
        padding=pads_of(text, given, size, stride, dilation),
        stride=stride,
        dilation=dilation,
        groups=int(given["group"]),
        to=text.node.output[0],
    )


@writes("ConvTranspose")
def _deconv(text: Text) -> None:
    given = text.attributes(**_GIVEN, group=1, output_padding=None, output_shape=None)
    size = text.shape(text.input(1))[2:]
    stride, dilation = _window(given, size)
    before, after = text.shape(text.input(0))[2:], text.shape(text.node.output[0])[2:]
    count = len(size)
    extra = given["output_padding"] or [0] * count
    pads = list(given["pads"] or [0] * (2 * count))
    if given["output_shape"] or given["auto_pad"].startswith("SAME"):
        for axis in range(count):
            whole = (before[axis] - 1) * stride[axis] + (size[axis] - 1) * dilation[axis] + 1 + extra[axis]
            total = max(whole - after[axis], 0)
            first = total // 2 if given["auto_pad"] == "SAME_UPPER" else total - total // 2
            pads[axis], pads[axis + count] = first, total - first
    text.call(
        "deconv",
        text.tensor(text.input(0)),
        text.tensor(text.input(1)),
        *_bias(text),
        padding=list(zip(pads[:count], pads[count:], strict=True)),
        stride=stride,
        dilation=dilation,
        output_shape=text.shape(text.node.output[0]),
        groups=int(given["group"]),
        to=text.node.output[0],
    )


@writes("MaxPool", "AveragePool")
def _pool(text: Text) -> None:
    given = text.attributes(**_GIVEN, ceil_mode=0, count_include_pad=0, storage_order=0)
    if text.more_outputs():
        text.fail("the index of a maximum, which NNEF and ONNX count in different ways")
    size = list(given["kernel_shape"])
    stride, dilation = _window(given, size)
    pads = pads_of(text, given, size, stride, dilation)
    counted = bool(given["count_include_pad"]) and text.node.op_type == "AveragePool"
    if counted and given["ceil_mode"] and _flat(pads) != list(given["pads"] or [0] * len(_flat(pads))):
        text.fail("a mean that counts its padding and is rounded up")
    text.call(
        "max_pool" if text.node.op_type == "MaxPool" else "avg_pool",
        text.tensor(text.input(0)),
        size=[1, 1, *size],
        border="constant" if counted else "ignore",
        padding=[(0, 0), (0, 0), *pads],
        stride=[1, 1, *stride],
        dilation=[1, 1, *dilation],
        to=text.node.output[0],
    )


def _flat(pads: Pads) -> list[int]:
    return [each[0] for each in pads] + [each[1] for each in pads]


@writes("GlobalAveragePool", "GlobalMaxPool")
def _global(text: Text) -> None:
    op = "mean_reduce" if text.node.op_type == "GlobalAveragePool" else "max_reduce"
    axes = list(range(2, text.rank(text.input(0))))
    text.call(op, text.tensor(text.input(0)), axes=axes, to=text.node.output[0])


@writes("LRN")
def _lrn(text: Text) -> None:
    given = text.attributes(alpha=0.0001, beta=0.75, bias=1.0, size=None)
    rank, size = text.rank(text.input(0)), int(given["size"])
    text.call(
        "local_response_normalization",
        text.tensor(text.input(0)),
        size=[1, size, *[1] * (rank - 2)],
        alpha=float(given["alpha"]),
        beta=float(given["beta"]),
        bias=float(given["bias"]),
        to=text.node.output[0],
    )


@writes("BatchNormalization")
def _batch_normalisation(text: Text) -> None:
    given = text.attributes(epsilon=1e-5, momentum=0.9, spatial=1, training_mode=0)
    if given["training_mode"] or not given["spatial"] or text.more_outputs():
        text.fail("a batch normalisation in training, or one per element")
    _, scale, offset, mean, variance = text.node.input
    names = {"mean": mean, "variance": variance, "offset": offset, "scale": scale}
    if any(text.array(each) is None for each in names.values()):
        text.fail("statistics that the network computes")
    row = {key: text.tensor(name, [1, int(np.prod(text.shape(name)))]) for key, name in names.items()}
    value = text.tensor(text.input(0))
    text.call("batch_normalization", value, **row, epsilon=float(given["epsilon"]), to=text.node.output[0])
