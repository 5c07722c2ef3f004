"""Convolutions and pools of a Core ML program, by torch."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from .reading import Unread, ints


def _windows(g: Mapping[str, Any], kernel: list[int], value: float = 0.0) -> Any:
    """x, padded as `pad_type` says."""
    x, kind, rank = g["x"], g["pad_type"], len(kernel)
    strides, dilations = ints(g["strides"]), ints(g.get("dilations", torch.ones(rank)))
    if kind == "valid":
        return x
    if kind == "custom":
        pads = ints(g["pad"])
    elif kind in ("same", "same_lower"):
        pads = []
        for axis in range(rank):
            size, reach = x.shape[axis + 2], (kernel[axis] - 1) * dilations[axis] + 1
            total = max((math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size, 0)
            small, large = total // 2, total - total // 2
            pads += [small, large] if kind == "same" else [large, small]
    else:
        raise Unread(f"pad_type {kind}")
    pairs = [pads[2 * axis : 2 * axis + 2] for axis in range(rank)]
    return functional.pad(x, [each for pair in reversed(pairs) for each in pair], value=value)


def conv(g: Mapping[str, Any]) -> Any:
    weight = g["weight"]
    rank = weight.dim() - 2
    x = _windows(g, list(weight.shape[2:]))
    call: Callable[..., Any] = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    return call(x, weight, g.get("bias"), ints(g["strides"]), 0, ints(g["dilations"]), int(g["groups"]))


def conv_transpose(g: Mapping[str, Any]) -> Any:
    weight = g["weight"]
    rank = weight.dim() - 2
    if g["pad_type"] not in ("valid", "custom"):
        raise Unread(f"conv_transpose of pad_type {g['pad_type']}")
    calls = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
    call: Callable[..., Any] = calls[rank - 1]
    strides, dilations = ints(g["strides"]), ints(g["dilations"])
    made = call(g["x"], weight, None, strides, 0, 0, int(g["groups"]), dilations)
    pads = ints(g["pad"]) if g["pad_type"] == "custom" else [0] * 2 * rank
    shape = ints(g["output_shape"])[2:] if g.get("output_shape") is not None else None
    for axis in range(rank):
        begin = pads[2 * axis]
        size = shape[axis] if shape else made.shape[axis + 2] - begin - pads[2 * axis + 1]
        if (short := begin + size - made.shape[axis + 2]) > 0:
            made = functional.pad(made, [0, 0] * (rank - 1 - axis) + [0, short])
        made = made.narrow(axis + 2, begin, size)
    bias = g.get("bias")
    return made if bias is None else made + bias.reshape(-1, *[1] * rank)


def pool(g: Mapping[str, Any], highest: bool) -> Any:
    kernel, strides = ints(g["kernel_sizes"]), ints(g["strides"])
    if g.get("ceil_mode"):
        raise Unread("pooling of ceil_mode")
    rank = len(kernel)
    if highest:
        x = _windows(g, kernel, -math.inf)
        return (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[rank - 1](x, kernel, strides)
    call: Callable[..., Any] = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[rank - 1]
    made = call(_windows(g, kernel), kernel, strides)
    if g.get("exclude_padding_from_average"):
        made = made / call(_windows({**g, "x": torch.ones_like(g["x"])}, kernel), kernel, strides)
    return made
