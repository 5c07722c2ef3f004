"""Layers that normalise: batch, local response, mean and variance, L2."""

from __future__ import annotations

import numpy as np

from ..step import Step, count, layer
from .pooling import average


@layer("BatchNorm")
def batch_norm(step: Step) -> None:
    """The third blob is what mean and variance were summed with (a moving average's weight)."""
    step.expect()
    params = step.params("batch_norm_param")
    shape = step.shapes[0]
    channels = 1 if step.rank() == 1 else shape[1]
    if not params.use_global_stats:
        _batch_statistics(step, params.eps)
        return
    weight = float(step.blob(2, [1])[0])
    factor = np.float32(1 / weight if weight else 0)
    mean, variance = (step.blob(index, [channels]) * factor for index in (0, 1))
    if step.rank() < 2:
        step.fail("its bottom has one axis", "unsupported")
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    inputs = [
        step.inputs[0],
        step.constant(ones, "scale"),
        step.constant(zeros, "bias"),
        step.constant(mean, "mean"),
        step.constant(variance, "variance"),
    ]
    step.out("BatchNormalization", inputs, shape, epsilon=params.eps)


def _batch_statistics(step: Step, eps: float) -> None:
    axes = step.ints([axis for axis in range(step.rank()) if axis != 1], "axes")
    mean = step.node("ReduceMean", [step.inputs[0], axes])
    centred = step.node("Sub", [step.inputs[0], mean])
    variance = step.node("ReduceMean", [step.node("Mul", [centred, centred]), axes])
    deviation = step.node("Sqrt", [step.node("Add", [variance, step.number(eps, "eps")])])
    step.out("Div", [centred, deviation], step.shapes[0])


@layer("LRN")
def local_response(step: Step) -> None:
    """Krizhevsky et al. 2012; WITHIN_CHANNEL averages over a square window instead, with Caffe's own average."""
    step.expect()
    params = step.params("lrn_param")
    shape, size = step.shapes[0], params.local_size
    step.rank(4)
    if size < 1 or size % 2 == 0:
        step.fail(f"its local_size is {size}; Caffe takes an odd one")
    if params.norm_region == "ACROSS_CHANNELS":
        step.out("LRN", step.inputs, shape, size=size, alpha=params.alpha, beta=params.beta, bias=params.k)
        return
    squared = step.node("Mul", [step.inputs[0], step.inputs[0]])
    mean = average(step, squared, shape, shape, [size] * 2, [1, 1], [size // 2] * 2)
    scaled = step.node("Mul", [mean, step.number(params.alpha, "alpha")])
    base = step.node("Add", [scaled, step.number(1, "one")])
    power = step.node("Pow", [base, step.number(-params.beta, "beta")])
    step.out("Mul", [step.inputs[0], power], shape)


@layer("MVN")
def mean_variance(step: Step) -> None:
    """Epsilon is added to the deviation, not to the variance."""
    step.expect()
    params = step.params("mvn_param")
    step.rank(4)
    axes = step.ints([1, 2, 3] if params.across_channels else [2, 3], "axes")
    mean = step.node("ReduceMean", [step.inputs[0], axes])
    if not params.normalize_variance:
        step.out("Sub", [step.inputs[0], mean], step.shapes[0])
        return
    centred = step.node("Sub", [step.inputs[0], mean])
    variance = step.node("ReduceMean", [step.node("Mul", [centred, centred]), axes])
    deviation = step.node("Add", [step.node("Sqrt", [variance]), step.number(params.eps, "eps")])
    step.out("Div", [centred, deviation], step.shapes[0])


@layer("Normalize")
def normalize(step: Step) -> None:
    """L2 over channels, or over the whole sample, with a learned scale (ParseNet, SSD)."""
    step.expect()
    params = step.params("norm_param")
    step.rank(4)
    shape = step.shapes[0]
    axes = step.ints([1, 2, 3] if params.across_spatial else [1], "axes")
    total = step.node("ReduceSumSquare", [step.inputs[0], axes])
    norm = step.node("Sqrt", [step.node("Add", [total, step.number(params.eps, "eps")])])
    scale = step.blob(0, [1 if params.channel_shared else count(shape[1:2])]).reshape([-1, 1, 1])
    step.out("Mul", [step.node("Div", [step.inputs[0], norm]), step.constant(scale, "scale")], shape)
