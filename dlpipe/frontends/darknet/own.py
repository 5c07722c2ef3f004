"""A reference interpreter of Darknet networks in NumPy: written from what the layers are defined to compute, number by
number and in double precision, with nothing in common with the converter but the reading of the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import own_heads
from .cfg import Section
from .weights import Weights

EPSILON = 1e-6


def run(network: Section, sections: Sequence[Section], weights: Weights, image: Any) -> dict[str, Any]:
    """Layer's name -> its result, float32, in order. image: [batch, channels, height, width]."""
    results: list[Any] = []
    found = {}
    value = np.asarray(image, np.float64)
    for each in sections:
        if each.kind not in FORWARD:
            raise Refused(f"dlpipe's interpreter has no layer [{each.kind}]", kind="unsupported", node=each.name)
        with np.errstate(all="ignore"):
            value = FORWARD[each.kind](Context(network, each, weights, results, image.shape), value)
        results.append(value)
        found[each.name] = value.astype(np.float32)
    return found


class Context:
    def __init__(
        self, network: Section, section: Section, weights: Weights, results: list[Any], shape: Sequence[int]
    ) -> None:
        self.network, self.section, self.results, self.shape = network, section, results, shape
        self._weights = weights
        self.transposed = weights.transposed

    def take(self, *shape: int) -> Any:
        return self._weights.take(shape, self.section.name).astype(np.float64)

    def sources(self, key: str) -> list[Any]:
        return [self.results[int(each) + (self.section.index if each < 0 else 0)] for each in self.section.numbers(key)]

    def activated(self, x: Any, default: str) -> Any:
        return ACTIVATIONS[self.section.text("activation", default)](x)


ACTIVATIONS: dict[str, Any] = {
    "linear": lambda x: x,
    "logistic": own_heads.sigmoid,
    "loggy": lambda x: 2 / (1 + np.exp(-x)) - 1,
    "relu": lambda x: x * (x > 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "relie": lambda x: np.where(x > 0, x, 0.01 * x),
    "ramp": lambda x: x * (x > 0) + 0.1 * x,
    "tanh": np.tanh,
    "hardtan": lambda x: np.clip(x, -1, 1),
    "elu": lambda x: np.where(x >= 0, x, np.exp(np.minimum(x, 0)) - 1),
    "selu": lambda x: 1.0507 * np.where(x >= 0, x, 1.6732 * (np.exp(np.minimum(x, 0)) - 1)),
    "swish": lambda x: x * own_heads.sigmoid(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
}


def _normalised(x: Any, normal: Sequence[Any], bias: Any) -> Any:
    """normal: scale, mean and variance."""
    scale, mean, variance, bias = (e.reshape([-1, *[1] * (x.ndim - 2)]) for e in (*normal, bias))
    return scale * (x - mean) / np.sqrt(variance + EPSILON) + bias


def _pad(section: Section, size: int) -> int:
    return size // 2 if section.integer("pad") else section.integer("padding")


def _windows(x: Any, size: int, strides: Sequence[int], dilation: int, sizes: Sequence[int]) -> Any:
    """(row, column) of the kernel, the part of x that it meets."""
    for row in range(size):
        for column in range(size):
            rows = slice(row * dilation, row * dilation + (sizes[0] - 1) * strides[0] + 1, strides[0])
            columns = slice(column * dilation, column * dilation + (sizes[1] - 1) * strides[1] + 1, strides[1])
            yield row, column, x[:, :, rows, columns]


def _convolutional(c: Context, x: Any) -> Any:
    s = c.section
    filters, size, groups, stride = (s.integer(key, 1) for key in ("filters", "size", "groups", "stride"))
    strides = [s.integer("stride_y", stride), s.integer("stride_x", stride)]
    dilation = s.integer("dilation", 1) if size > 1 else 1
    bias = c.take(filters)
    normal = [c.take(filters) for _ in range(3)] if s.integer("batch_normalize") else None
    kernel = c.take(groups, filters // groups, x.shape[1] // groups, size, size)
    pad = _pad(s, size) * dilation
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    sizes = [(n - dilation * (size - 1) - 1) // each + 1 for n, each in zip(x.shape[2:], strides, strict=True)]
    made = np.zeros([x.shape[0], groups, filters // groups, *sizes])
    for row, column, part in _windows(x, size, strides, dilation, sizes):
        part = part.reshape([x.shape[0], groups, -1, *sizes])
        made += np.einsum("ngchw,goc->ngohw", part, kernel[..., row, column])
    made = made.reshape([x.shape[0], filters, *sizes])
    made = _normalised(made, normal, bias) if normal else made + bias.reshape(-1, 1, 1)
    return c.activated(made, "logistic")


def _deconvolutional(c: Context, x: Any) -> Any:
    s = c.section
    filters, size, stride = (s.integer(key, 1) for key in ("filters", "size", "stride"))
    bias = c.take(filters)
    normal = [c.take(filters) for _ in range(3)] if s.integer("batch_normalize") else None
    kernel, pad = c.take(x.shape[1], filters, size, size), _pad(s, size)
    full = [(n - 1) * stride + size for n in x.shape[2:]]
    made = np.zeros([x.shape[0], filters, *full])
    for row, column, part in _windows(made, size, [stride] * 2, 1, x.shape[2:]):
        part += np.einsum("nchw,co->nohw", x, kernel[..., row, column])
    made = made[:, :, pad : full[0] - pad, pad : full[1] - pad]
    made = _normalised(made, normal, bias) if normal else made + bias.reshape(-1, 1, 1)
    return c.activated(made, "logistic")


def _connected(c: Context, x: Any) -> Any:
    outputs, x = c.section.integer("output", 1), x.reshape(x.shape[0], -1)
    bias = c.take(outputs)
    made = x @ c.take(x.shape[1], outputs) if c.transposed else x @ c.take(outputs, x.shape[1]).T
    normal = [c.take(outputs) for _ in range(3)] if c.section.integer("batch_normalize") else None
    return c.activated(_normalised(made, normal, bias) if normal else made + bias, "logistic")


def _local(c: Context, x: Any) -> Any:
    s = c.section
    filters, size, stride = (s.integer(key, 1) for key in ("filters", "size", "stride"))
    padded = bool(s.integer("pad"))
    rows, columns = ((n - (1 if padded else size)) // stride + 1 for n in x.shape[2:])
    pad = size // 2 if padded else 0
    bias = c.take(filters, rows, columns)
    kernels = c.take(rows, columns, filters, x.shape[1] * size * size)
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad + size), (pad, pad + size)])
    made = np.zeros([x.shape[0], filters, rows, columns])
    for row in range(rows):
        for column in range(columns):
            seen = x[:, :, row * stride : row * stride + size, column * stride : column * stride + size]
            made[:, :, row, column] = seen.reshape(x.shape[0], -1) @ kernels[row, column].T
    return c.activated(made + bias, "logistic")


def _batchnorm(c: Context, x: Any) -> Any:
    bias, *normal = (c.take(x.shape[1]) for _ in range(4))
    return _normalised(x, normal, bias)


def _maxpool(c: Context, x: Any) -> Any:
    s = c.section
    stride = s.integer("stride", 1)
    strides = [s.integer("stride_y", stride), s.integer("stride_x", stride)]
    size = s.integer("size", stride)
    padding = s.integer("padding", size - 1)
    sizes = [(n + padding - size) // each + 1 for n, each in zip(x.shape[2:], strides, strict=True)]
    x = np.pad(x, [(0, 0), (0, 0), *[(padding // 2, padding + size)] * 2], constant_values=-np.inf)
    return np.max([part for _, _, part in _windows(x, size, strides, 1, sizes)], axis=0)


def _normalization(c: Context, x: Any) -> Any:
    s = c.section
    half, total = s.integer("size", 5) // 2, np.zeros_like(x)
    for channel in range(x.shape[1]):
        total[:, channel] = (x[:, max(channel - half, 0) : channel + half + 1] ** 2).sum(1)
    return x * (s.real("kappa", 1.0) + s.real("alpha", 1e-4) * total) ** -s.real("beta", 0.75)


def _softmax(c: Context, x: Any) -> Any:
    shape = x.shape
    if not c.section.integer("spatial"):
        x = x.reshape(x.shape[0], c.section.integer("groups", 1), -1).swapaxes(1, 2)
    raised = np.exp(x - x.max(1, keepdims=True))
    made = raised / raised.sum(1, keepdims=True)
    return made if made.shape == shape else made.swapaxes(1, 2).reshape(shape)


def _route(c: Context, _: Any) -> Any:
    groups, which = c.section.integer("groups", 1), c.section.integer("group_id", 0)
    return np.concatenate([np.split(each, groups, 1)[which] for each in c.sources("layers")], 1)


def _shortcut(c: Context, x: Any) -> Any:
    s = c.section
    inputs = [x]
    for each in c.sources("from"):
        fitted, common = np.zeros_like(x), min(each.shape[1], x.shape[1])
        apart = max(1, each.shape[3] // x.shape[3])  # of a larger image, the pixels that count
        fitted[:, :common] = each[:, :common, ::apart, ::apart][:, :, : x.shape[2], : x.shape[3]]
        inputs.append(fitted)
    kind = s.text("weights_type", "none")
    factors = np.ones([len(inputs), 1])
    if kind != "none":
        factors = c.take(len(inputs), x.shape[1] if kind == "per_channel" else 1)
        normal = s.text("weights_normalization", s.text("weights_normalizion", "none"))
        if normal == "softmax":
            factors = np.exp(factors - factors.max(0))
        elif normal in ("relu", "avg_relu"):
            factors = factors.clip(0)
        if normal != "none":
            factors = factors / (factors.sum(0) + 1e-4)
    made = sum(each * factor.reshape(-1, 1, 1) for each, factor in zip(inputs, factors, strict=True))
    return c.activated(made, "linear")


def _reorg(c: Context, x: Any) -> Any:
    """Channel k of the result is read from place (offset // s, offset % s) of channel k % few of the larger image."""
    stride = c.section.integer("stride", 1)
    batch, channels, height, width = x.shape
    few = channels // stride**2
    large = x.reshape(batch, few, height * stride, width * stride)
    made = np.empty_like(x)
    for k in range(channels):
        offset = k // few
        made[:, k] = large[:, k % few, offset // stride :: stride, offset % stride :: stride]
    return made.reshape(batch, channels * stride**2, height // stride, width // stride)


def _crop(c: Context, x: Any) -> Any:
    height, width = c.section.integer("crop_height", 1), c.section.integer("crop_width", 1)
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    made = x[:, :, top : top + height, left : left + width]
    return made if c.section.integer("noadjust") else made * 2 - 1


FORWARD: dict[str, Any] = {
    "convolutional": _convolutional,
    "conv": _convolutional,
    "deconvolutional": _deconvolutional,
    "deconv": _deconvolutional,
    "connected": _connected,
    "conn": _connected,
    "local": _local,
    "batchnorm": _batchnorm,
    "maxpool": _maxpool,
    "max": _maxpool,
    "avgpool": lambda _, x: x.mean((2, 3), keepdims=True),
    "avg": lambda _, x: x.mean((2, 3), keepdims=True),
    "normalization": _normalization,
    "lrn": _normalization,
    "softmax": _softmax,
    "soft": _softmax,
    "route": _route,
    "shortcut": _shortcut,
    "scale_channels": lambda c, x: c.activated(c.sources("from")[0] * x, "linear"),
    "sam": lambda c, x: c.activated(c.sources("from")[0] * x, "linear"),
    "upsample": lambda c, x: (
        x.repeat(c.section.integer("stride", 2), 2).repeat(c.section.integer("stride", 2), 3)
        * c.section.real("scale", 1.0)
    ),
    "reorg": _reorg,
    "crop": _crop,
    "activation": lambda c, x: c.activated(x, "linear"),
    "logistic": lambda _, x: own_heads.sigmoid(x),
    "yolo": own_heads.yolo,
    "region": own_heads.region,
    **{kind: (lambda _, x: x) for kind in ("detection", "dropout", "cost", "empty", "silence")},
}
