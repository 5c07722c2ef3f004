"""Layers that normalise: batch, local response, mean and variance, L2."""

from __future__ import annotations

from typing import Any

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
        if params.scale_bias:
            step.fail("it scales by the statistics of the batch", "unsupported")
        _batch_statistics(step, params.eps)
        return
    weight = float(step.blob(2, [1])[0])
    factor = np.float32(1 / weight if weight else 0)
    mean, variance = (step.blob(index, [channels]) * factor for index in (0, 1))
    if step.rank() < 2:
        step.fail("its bottom has one axis", "unsupported")
    scale, bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    if params.scale_bias:  # NVIDIA's fork: a Scale layer in the same layer
        scale, bias = (step.blob(index, [channels]) for index in (3, 4))
    _normalised(step, scale, bias, mean, variance, params.eps)


def _normalised(step: Step, scale: Any, bias: Any, mean: Any, variance: Any, eps: float) -> None:
    arrays = {"scale": scale, "bias": bias, "mean": mean, "variance": variance}
    inputs = [step.inputs[0], *(step.constant(np.ascontiguousarray(each), name) for name, each in arrays.items())]
    step.out("BatchNormalization", inputs, step.shapes[0], epsilon=eps)


@layer("BN", limits="SegNet's in its inference mode, and PSPNet's")
def bn(step: Step) -> None:
    """Two forks' own: SegNet's has scale and shift, with all statistics in them; PSPNet's mean and variance as well."""
    step.expect()
    params = step.params("bn_param")
    step.rank(2, 3, 4, 5)
    channels = count(step.shapes[0][1:2])
    if len(step.blobs) == 4:
        slope, bias, mean, variance = (step.blob(index, [channels]) for index in range(4))
        _normalised(step, slope, bias, mean, variance, params.eps)
        return
    if params.bn_mode != "INFERENCE":
        step.fail("it is in its training mode, by the statistics of the batch", "unsupported")
    spread = [channels, *[1] * (step.rank() - 2)]
    scale, shift = (step.constant(step.blob(at, [channels]).reshape(spread), str(at)) for at in range(2))
    step.out("Add", [step.node("Mul", [step.inputs[0], scale]), shift], step.shapes[0])


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
