"""Normalisations; those of batches are the trainer's matter."""

from typing import Any

import torch
from torch.nn import functional

from .table import Compute, Site, operator


@operator("BatchNormalization")
def batch_norm(site: Site) -> Compute:
    epsilon = site.attr("epsilon", 1e-5)
    if site.attr("training_mode", 0):
        site.refuse("training_mode=1, in which it also puts out its statistics")
    if not site.attr("spatial", 1):
        site.refuse("spatial=0, of operator sets before 9")
    return lambda x, scale, bias, mean, var: functional.batch_norm(x, mean, var, scale, bias, False, 0.0, epsilon)


@operator("InstanceNormalization")
def instance_norm(site: Site) -> Compute:
    epsilon = site.attr("epsilon", 1e-5)
    return lambda x, scale, bias: functional.instance_norm(x, None, None, scale, bias, True, 0.0, epsilon)


@operator("LayerNormalization")
def layer_norm(site: Site) -> Compute:
    axis, epsilon = site.attr("axis", -1), site.attr("epsilon", 1e-5)
    if sum(output.name not in (None, "") for output in site.node.outputs) > 1:
        site.refuse("its outputs for mean and deviation")

    def compute(x: Any, scale: Any, bias: Any = None) -> Any:
        dims = tuple(range(axis % x.dim(), x.dim()))
        centred = x - x.mean(dims, keepdim=True)
        scaled = centred * torch.rsqrt(centred.square().mean(dims, keepdim=True) + epsilon) * scale
        return scaled if bias is None else scaled + bias

    return compute


@operator("RMSNormalization")
def rms_norm(site: Site) -> Compute:
    axis, epsilon = site.attr("axis", -1), site.attr("epsilon", 1e-5)

    def compute(x: Any, scale: Any) -> Any:
        dims = tuple(range(axis % x.dim(), x.dim()))
        return x * torch.rsqrt(x.square().mean(dims, keepdim=True) + epsilon) * scale

    return compute


@operator("GroupNormalization")
def group_norm(site: Site) -> Compute:
    groups, epsilon = site.attr("num_groups"), site.attr("epsilon", 1e-5)
    if site.opset < 21:
        site.refuse("operator sets before 21, where its scale is one for each group")
    return lambda x, scale, bias: functional.group_norm(x, groups, scale, bias, epsilon)


@operator("LRN")
def lrn(site: Site) -> Compute:
    size, alpha, beta, bias = (
        site.attr("size"),
        site.attr("alpha", 1e-4),
        site.attr("beta", 0.75),
        site.attr("bias", 1.0),
    )

    def compute(x: Any) -> Any:
        # Over the channels from (size - 1) // 2 before to size // 2 (rounded up) behind; all other axes as one.
        flat = x.square().reshape(x.shape[0], 1, x.shape[1], -1)
        padded = functional.pad(flat, (0, 0, (size - 1) // 2, size - 1 - (size - 1) // 2))
        mean = functional.avg_pool2d(padded, (size, 1), stride=1)
        return x / (bias + alpha * mean).pow(beta).reshape(x.shape)

    return compute


@operator("LpNormalization")
def lp_normalization(site: Site) -> Compute:
    axis, power = site.attr("axis", -1), site.attr("p", 2)
    return lambda x: x / torch.linalg.vector_norm(x, power, axis, keepdim=True)


@operator("MeanVarianceNormalization")
def mean_variance(site: Site) -> Compute:
    axes = tuple(site.attr("axes") or (0, 2, 3))

    def compute(x: Any) -> Any:
        centred = x - x.mean(axes, keepdim=True)
        return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-9)

    return compute
