"""Normalisation and sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pooling import pool


def _batch_norm(context: Any, x: Any) -> Any:
    params = context.params("batch_norm_param")
    spread = [-1, *[1] * (x.ndim - 2)]
    if params.use_global_stats:
        weight = context.blobs[2].reshape(-1)[0]
        factor = 0 if weight == 0 else 1 / weight
        mean, variance = ((each.reshape(-1) * factor).reshape(spread) for each in context.blobs[:2])
    else:
        others = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean, variance = x.mean(others, keepdims=True), x.var(others, keepdims=True)
    made = (x - mean) / np.sqrt(variance + params.eps)
    return made * context.blobs[3].reshape(spread) + context.blobs[4].reshape(spread) if params.scale_bias else made


def _bn(context: Any, x: Any) -> Any:
    params = context.params("bn_param")
    slope, bias, *moments = (each.reshape([-1, *[1] * (x.ndim - 2)]) for each in context.blobs)
    if moments:
        x = (x - moments[0]) / np.sqrt(moments[1] + params.eps)
    return x * slope + bias


def _lrn(context: Any, x: Any) -> Any:
    params = context.params("lrn_param")
    half = params.local_size // 2
    if params.norm_region == "WITHIN_CHANNEL":
        mean, _ = pool(x * x, [params.local_size] * 2, [1, 1], [half] * 2, True)
        return x * (1 + params.alpha * mean) ** -params.beta
    total = np.zeros_like(x)
    for channel in range(x.shape[1]):
        near = x[:, max(channel - half, 0) : channel + half + 1]
        total[:, channel] = (near**2).sum(1)
    return x * (params.k + params.alpha / params.local_size * total) ** -params.beta


def _mvn(context: Any, x: Any) -> Any:
    params = context.params("mvn_param")
    over = (1, 2, 3) if params.across_channels else (2, 3)
    centred = x - x.mean(over, keepdims=True)
    if not params.normalize_variance:
        return centred
    return centred / (np.sqrt((centred**2).mean(over, keepdims=True)) + params.eps)


def _normalize(context: Any, x: Any) -> Any:
    params = context.params("norm_param")
    over = (1, 2, 3) if params.across_spatial else (1,)
    norm = np.sqrt((x * x).sum(over, keepdims=True) + params.eps)
    return x / norm * context.blobs[0].reshape(-1, 1, 1)


def _reduction(context: Any, x: Any) -> Any:
    params = context.params("reduction_param")
    axis = params.axis + (x.ndim if params.axis < 0 else 0)
    flat = x.reshape([*x.shape[:axis], -1])
    made = {
        "SUM": lambda: flat.sum(-1),
        "ASUM": lambda: np.abs(flat).sum(-1),
        "SUMSQ": lambda: (flat**2).sum(-1),
        "MEAN": lambda: flat.mean(-1),
    }[params.operation]()
    return np.asarray(made * params.coeff)


def _argmax(context: Any, x: Any) -> Any:
    """Pairs (number, index) sorted downward: of equal numbers the larger index comes first."""
    params = context.params("argmax_param")
    k = params.top_k
    flat = x.reshape(x.shape[0], 1, -1) if params.axis is None else np.moveaxis(x, params.axis, -1)
    order = flat.shape[-1] - 1 - np.argsort(-flat[..., ::-1], axis=-1, kind="stable")[..., :k]
    values = np.take_along_axis(flat, order, -1)
    if params.axis is not None:
        return np.moveaxis(values if params.out_max_val else order.astype(float), -1, params.axis)
    made = np.concatenate([order, values], 1) if params.out_max_val else order.astype(float)
    return made.reshape([*made.shape, *[1] * (x.ndim - 3)])


FORWARD = {
    "BatchNorm": _batch_norm,
    "BN": _bn,
    "LRN": _lrn,
    "MVN": _mvn,
    "Normalize": _normalize,
    "Reduction": _reduction,
    "ArgMax": _argmax,
}
