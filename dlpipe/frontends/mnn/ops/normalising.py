"""Scales and normalisations."""

from __future__ import annotations

import numpy as np

from ..step import Step, operator


@operator("Scale")
def _scale(step: Step) -> None:
    step.expect()
    table = step.op.table("Scale")
    scale, bias = table.array(1, "float32"), table.array(2, "float32")
    _affine(step, scale, bias)


def _affine(step: Step, scale: np.ndarray, bias: np.ndarray) -> None:
    shape = step.shape()
    if step.format == 1 or len(shape) < 2:
        step.unsupported("it is given no channels in NCHW")
    if not scale.size or bias.size not in (0, scale.size) or shape[1] not in (scale.size, None):
        step.fail(f"{scale.size} scales and {bias.size} biases for {shape[1]} channels")
    ones = [1] * (len(shape) - 2)
    made = step.node("Mul", [step.value, step.constant(scale.reshape(-1, *ones), "scale")])
    if bias.size:
        made = step.node("Add", [made, step.constant(bias.reshape(-1, *ones), "bias")])
    step.name_top(made)


@operator("BatchNorm")
def _batch_norm(step: Step) -> None:
    step.expect()
    table = step.op.table("BatchNorm")
    slope, mean, variance, bias = (table.array(slot, "float32") for slot in (1, 2, 3, 4))
    if not slope.size == mean.size == variance.size == bias.size > 0:
        step.fail("its statistics are of different sizes")
    factor = slope / np.sqrt(variance + np.float32(table.number(7, "float32", 0.001)))
    if not np.isfinite(factor).all():
        step.fail("a variance is not above zero")
    _affine(step, factor, bias - mean * factor)


@operator("LRN")
def _lrn(step: Step) -> None:
    step.expect()
    step.image()
    table = step.op.table("LRN")
    size = int(table.number(1, "int32"))
    if int(table.number(0, "int32")) or size < 1 or size % 2 == 0:
        step.unsupported(f"its region is not one of channels, or its size {size} is even")
    bias = float(table.number(4, "float32", 1.0))
    alpha, beta = (float(table.number(slot, "float32", 0.0)) for slot in (2, 3))
    step.out("LRN", [step.value], size=size, alpha=alpha, beta=beta, bias=bias)


@operator("LayerNorm", limits="of one group, with its weights in it")
def _layer_norm(step: Step) -> None:
    step.expect()
    table = step.op.table("LayerNorm")
    rank = step.rank()
    axes = sorted(step.axis(int(each), rank) for each in table.array(0, "int32"))
    if not axes or axes != list(range(axes[0], rank)) or int(table.number(4, "int32", 1)) != 1:
        step.unsupported(f"it normalises along {axes} of {rank} axes, or in groups")
    if table.number(6, "bool", False):
        step.unsupported("it takes the root of squares, without the mean")
    shape = step.shape()[axes[0] :]
    if not all(isinstance(dim, int) for dim in shape):
        step.unsupported("the size of what it normalises must be known")
    sizes = [int(dim or 0) for dim in shape]
    gamma, beta = table.array(2, "float32"), table.array(3, "float32")
    count = int(np.prod(sizes))
    if gamma.size not in (0, count) or beta.size not in (0, count):
        step.fail(f"{gamma.size} weights for {count} numbers")
    gamma = gamma if gamma.size else np.ones(count, np.float32)
    beta = beta if beta.size else np.zeros(count, np.float32)
    given = [step.constant(gamma.reshape(sizes), "gamma"), step.constant(beta.reshape(sizes), "beta")]
    step.out("LayerNormalization", [step.value, *given], axis=axes[0], epsilon=float(table.number(1, "float32", 0.0)))


@operator("Softmax")
def _softmax(step: Step) -> None:
    step.expect()
    axis = int(step.op.table("Axis").number(0, "int32"))
    step.out("Softmax", [step.value], axis=step.axis(axis, step.rank()))
