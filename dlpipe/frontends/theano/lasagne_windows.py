"""Lasagne's convolutions and pools. A convolution turns its kernels round (`flip_filters`), as Theano's does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .description import Layer
from .lasagne_builder import Builder, Value, pair, positive


def _pads(layer: Layer, value: Any, reach: Sequence[int]) -> list[int]:
    if value == "same":
        if any(size % 2 == 0 for size in reach):
            raise layer.refuse("pads an even kernel by 'same', which Lasagne does not take")
        return [size // 2 for size in reach]
    if value == "full":
        return [size - 1 for size in reach]
    return pair(layer, 0 if value == "valid" else value, len(reach))


def convolution(rank: int) -> Callable[..., Value]:
    def handle(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
        (name, shape), kind = inputs[0], layer.kind
        if len(shape) != rank + 2:
            raise layer.refuse(f"takes {rank + 2} axes, its input has {len(shape)}")
        filters, size = int(options.pop("num_filters")), pair(layer, options.pop("filter_size"), rank)
        stride = pair(layer, options.pop("stride", 1), rank)
        dilation = pair(layer, options.pop("dilation", 1), rank) if kind == "DilatedConv2DLayer" else [1] * rank
        groups = int(options.pop("num_groups", 1))
        reach = [(each - 1) * step + 1 for each, step in zip(size, dilation, strict=True)]
        pad = _pads(layer, options.pop("pad", 0), reach)
        kernel_shape = [filters, shape[1] // groups, *size]
        if kind == "DilatedConv2DLayer":
            kernel_shape[:2] = kernel_shape[1::-1]
        kernel = builder.take(layer, "W", kernel_shape)
        flips = options.pop("flip_filters", kind != "DilatedConv2DLayer")
        if flips and kind == "DilatedConv2DLayer":
            raise layer.refuse("turns the kernels of a dilated convolution round")
        if kind == "DilatedConv2DLayer":
            kernel = np.swapaxes(kernel, 0, 1)
        if flips:
            kernel = kernel[(slice(None), slice(None)) + (slice(None, None, -1),) * rank]
        operands = [name, builder.constant(layer, "W", kernel)]
        untied = options.pop("untie_biases", False)
        biased = options.pop("b", True) is not None
        spatial = [
            (dim + 2 * p - each) // step + 1 for dim, p, each, step in zip(shape[2:], pad, reach, stride, strict=True)
        ]
        made = positive(layer, [shape[0], filters, *spatial])
        if biased and not untied:
            operands.append(builder.constant(layer, "b", builder.take(layer, "b", [filters])))
        attributes = {"kernel_shape": size, "strides": stride, "dilations": dilation, "pads": pad * 2, "group": groups}
        value = builder.add(layer, "Conv", operands, made, **attributes)
        if biased and untied:
            bias = builder.constant(layer, "b", builder.take(layer, "b", [filters, *spatial]))
            value = builder.add(layer, "Add", [value[0], bias], made)
        return builder.finish(layer, value, options, "rectify")

    return handle


def transposed(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    name, shape = inputs[0]
    filters, size = int(options.pop("num_filters")), pair(layer, options.pop("filter_size"), 2)
    stride, crop = pair(layer, options.pop("stride", 1), 2), _pads(layer, options.pop("crop", 0), size)
    kernel = builder.take(layer, "W", [shape[1], filters, *size])
    if not options.pop("flip_filters", False):  # then the convolution that this one transposes turns its kernels
        kernel = kernel[:, :, ::-1, ::-1]
    operands = [name, builder.constant(layer, "W", kernel)]
    if options.pop("b", True) is not None:
        operands.append(builder.constant(layer, "b", builder.take(layer, "b", [filters])))
    spatial = [(d - 1) * s + k - 2 * c for d, s, k, c in zip(shape[2:], stride, size, crop, strict=True)]
    made = positive(layer, [shape[0], filters, *spatial])
    attributes = {"kernel_shape": size, "strides": stride, "pads": crop * 2}
    return builder.finish(layer, builder.add(layer, "ConvTranspose", operands, made, **attributes), options, "rectify")


def pool(rank: int, mode: str | None) -> Callable[..., Value]:
    def handle(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
        name, shape = inputs[0]
        size = pair(layer, options.pop("pool_size"), rank)
        given = options.pop("stride", None)
        stride, pad = size if given is None else pair(layer, given, rank), pair(layer, options.pop("pad", 0), rank)
        how = mode or options.pop("mode", "max")
        whole = options.pop("ignore_border", True)
        if not whole and (how != "max" or any(pad)):
            raise layer.refuse("pools windows that reach beyond the border by another way than max")
        spatial = []
        for dim, each, step, p in zip(shape[2:], size, stride, pad, strict=True):
            if whole:
                spatial.append((dim + 2 * p - each) // step + 1)
            else:
                spatial.append((dim - 1) // step + 1 if step >= each else max(0, (dim - 1 - each + step) // step) + 1)
        attributes: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": pad * 2}
        if not whole:  # written out, because rounding up in ONNX leaves windows out that begin beyond the border
            ends = [
                max((n - 1) * step + each - dim, 0)
                for n, dim, each, step in zip(spatial, shape[2:], size, stride, strict=True)
            ]
            attributes["pads"] = pad + ends
        if how not in ("max", "average_inc_pad", "average_exc_pad"):
            raise layer.refuse(f"pools by {how!r}")
        if how != "max":
            attributes["count_include_pad"] = int(how == "average_inc_pad")
        made = positive(layer, [*shape[:2], *spatial])
        return builder.add(layer, "MaxPool" if how == "max" else "AveragePool", [name], made, **attributes)

    return handle


def global_pool(builder: Builder, layer: Layer, inputs: list[Value], options: dict[str, Any]) -> Value:
    (name, shape), how = inputs[0], options.pop("pool_function", "mean")
    if how not in ("mean", "max", "sum"):
        raise layer.refuse(f"pools by {how!r}")
    axes = builder.constant(layer, "axes", np.arange(2, len(shape)))
    return builder.add(layer, f"Reduce{how.capitalize()}", [name, axes], shape[:2], keepdims=0)
