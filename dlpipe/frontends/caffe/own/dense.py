"""Convolutions and matrices, as sums over windows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def axes(params: Any, spatial: int) -> tuple[list[int], list[int], list[int]]:
    """Kernel, stride and padding per spatial axis."""
    found = []
    for name, prefix, default in (("kernel_size", "kernel", 0), ("stride", "stride", 1), ("pad", "pad", 0)):
        pair = [getattr(params, f"{prefix}_{axis}") for axis in "hw"]
        if any(each is not None for each in pair):
            found.append([default if each is None else each for each in pair])
            continue
        given = getattr(params, name)
        values = given if isinstance(given, list) else [default if given is None else given]
        values = values or [default]
        found.append(values * (spatial if len(values) == 1 else 1))
    return found[0], found[1], found[2]


def _settings(context: Any, x: Any) -> tuple[Any, list[int], list[int], list[int], list[int], int]:
    params = context.params("convolution_param")
    spatial = x.ndim - 2
    dilation = params.dilation or [1]
    group = x.shape[1] if "epthwise" in context.layer.type else params.group
    return params, *axes(params, spatial), dilation * (spatial if len(dilation) == 1 else 1), group


def _bias(context: Any, params: Any, made: Any) -> Any:
    return made + context.blobs[1].reshape([-1, *[1] * (made.ndim - 2)]) if params.bias_term else made


def _convolution(context: Any, *inputs: Any) -> Any:
    results = []
    for x in inputs:
        params, kernel, stride, pad, dilation, group = _settings(context, x)
        outputs, part = params.num_output // group, x.shape[1] // group
        weight = context.blobs[0].reshape([group, outputs, part, *kernel])
        padded = np.pad(x, [(0, 0), (0, 0), *((each, each) for each in pad)])
        sizes = [
            (padded.shape[2 + axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
            for axis in range(len(kernel))
        ]
        made = np.zeros([x.shape[0], group, outputs, *sizes])
        for place in itertools.product(*map(range, kernel)):
            cut = [
                slice(at * d, at * d + (size - 1) * s + 1, s)
                for at, d, s, size in zip(place, dilation, stride, sizes, strict=True)
            ]
            seen = padded[(slice(None), slice(None), *cut)].reshape([x.shape[0], group, part, *sizes])
            made += np.einsum("ngc...,goc->ngo...", seen, weight[(..., *place)])
        results.append(_bias(context, params, made.reshape([x.shape[0], -1, *sizes])))
    return results


def _deconvolution(context: Any, *inputs: Any) -> Any:
    """Every number of the bottom lays its kernel into the top."""
    results = []
    for x in inputs:
        params, kernel, stride, pad, dilation, group = _settings(context, x)
        outputs, part, space = params.num_output // group, x.shape[1] // group, x.shape[2:]
        weight = context.blobs[0].reshape([group, part, outputs, *kernel])
        full = [s * (n - 1) + d * (k - 1) + 1 for s, n, d, k in zip(stride, space, dilation, kernel, strict=True)]
        made = np.zeros([x.shape[0], group, outputs, *full])
        grouped = x.reshape([x.shape[0], group, part, *space])
        for place in itertools.product(*map(range, kernel)):
            cut = [
                slice(at * d, at * d + (n - 1) * s + 1, s)
                for at, d, s, n in zip(place, dilation, stride, space, strict=True)
            ]
            made[(slice(None), slice(None), slice(None), *cut)] += np.einsum(
                "ngc...,gco->ngo...", grouped, weight[(..., *place)]
            )
        cut = [slice(each, size - each) for each, size in zip(pad, full, strict=True)]
        made = made.reshape([x.shape[0], -1, *full])[(slice(None), slice(None), *cut)]
        results.append(_bias(context, params, made))
    return results


def _inner_product(context: Any, x: Any) -> Any:
    params = context.params("inner_product_param")
    axis = params.axis + (x.ndim if params.axis < 0 else 0)
    flat = x.reshape([*x.shape[:axis], -1])
    weight = context.blobs[0].reshape([-1, params.num_output] if params.transpose else [params.num_output, -1])
    made = flat @ (weight if params.transpose else weight.T)
    return made + context.blobs[1].reshape(-1) if params.bias_term else made


def _embed(context: Any, x: Any) -> Any:
    params = context.params("embed_param")
    made = context.blobs[0].reshape(params.input_dim, params.num_output)[x.astype(int)]
    return made + context.blobs[1].reshape(-1) if params.bias_term else made


FORWARD = {
    "Convolution": _convolution,
    "ConvolutionDepthwise": _convolution,
    "DepthwiseConvolution": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _inner_product,
    "Embed": _embed,
}
