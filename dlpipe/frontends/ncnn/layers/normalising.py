"""Normalisations."""

from __future__ import annotations

import numpy as np

from ..step import Step, layer


@layer("BatchNorm")
def _batch_norm(step: Step) -> None:
    step.expect()
    count, epsilon = step.layer.integer(0), step.layer.real(1)
    slope, mean, variance, bias = (step.floats(count) for _ in range(4))
    factor = slope / np.sqrt(variance + np.float32(epsilon))
    if not np.isfinite(factor).all():
        step.fail("a variance is not above zero")
    scaled = step.node("Mul", [step.value, step.per_channel(factor, "factor")])
    step.out("Add", [scaled, step.per_channel(bias - mean * factor, "offset")])


@layer("LRN")
def _lrn(step: Step) -> None:
    step.expect()
    step.rank(3)
    region, size = step.layer.integer(0), step.layer.integer(1, 5)
    alpha, beta, bias = step.layer.real(2, 1.0), step.layer.real(3, 0.75), step.layer.real(4, 1.0)
    if size < 1 or region not in (0, 1):
        step.fail(f"its region is {region}, of the size {size}")
    if region == 0:
        if size % 2 == 0:
            step.unsupported(f"its window has the even size {size}")
        step.out("LRN", [step.value], size=size, alpha=alpha, beta=beta, bias=bias)
        return
    square = step.node("Mul", [step.value, step.value])
    before, after = size // 2, size - size // 2 - 1
    pads = [before, before, after, after]
    mean = step.node("AveragePool", [square], kernel_shape=[size, size], pads=pads, count_include_pad=1)
    inner = step.node("Add", [step.node("Mul", [mean, step.number(alpha, "alpha")]), step.number(bias, "bias")])
    step.out("Mul", [step.value, step.node("Pow", [inner, step.number(-beta, "beta")])])


@layer("Normalize")
def _normalize(step: Step) -> None:
    step.expect()
    step.rank(3)
    spatial, shared, epsilon = step.layer.integer(0), step.layer.integer(1), step.layer.real(2, 1e-4)
    size, across, mode = step.layer.integer(3), step.layer.integer(4), step.layer.integer(9)
    axes = {(1, 1): [1, 2, 3], (1, 0): [2, 3], (0, 1): [1]}.get((int(bool(spatial)), int(bool(across))))
    if axes is None or mode not in (0, 1, 2):
        step.unsupported(f"it normalises across nothing, or in the mode {mode}")
    total = step.node("ReduceSumSquare", [step.value, step.ints(axes, "axes")], keepdims=1)
    small = step.number(epsilon, "epsilon")
    if mode == 0:
        norm = step.node("Sqrt", [step.node("Add", [total, small])])
    elif mode == 1:
        norm = step.node("Max", [step.node("Sqrt", [total]), small])
    else:
        norm = step.node("Sqrt", [step.node("Max", [total, small])])
    scale = step.floats(size)
    made = step.node("Div", [step.value, norm])
    step.out("Mul", [made, step.per_channel(scale[:1] if shared else scale, "scale", bool(shared))])


@layer("MVN")
def _mvn(step: Step) -> None:
    step.expect()
    step.rank(3)
    variance, across, epsilon = step.layer.integer(0), step.layer.integer(1), step.layer.real(2, 1e-4)
    axes = step.ints([1, 2, 3] if across else [2, 3], "axes")
    centred = step.node("Sub", [step.value, step.node("ReduceMean", [step.value, axes], keepdims=1)])
    if not variance:
        step.name_top(centred)
        return
    mean = step.node("ReduceMean", [step.node("Mul", [centred, centred]), axes], keepdims=1)
    deviation = step.node("Add", [step.node("Sqrt", [mean]), step.number(epsilon, "epsilon")])
    step.out("Div", [centred, deviation])


@layer("InstanceNorm")
def _instance_norm(step: Step) -> None:
    step.expect()
    step.rank(3)
    count, epsilon, affine = step.layer.integer(0), step.layer.real(1, 1e-3), step.layer.integer(2, 1)
    channels = count if affine else step.channels()
    gamma, beta = (step.floats(count), step.floats(count)) if affine else (np.ones(channels), np.zeros(channels))
    given = [step.constant(each.astype(np.float32), name) for each, name in ((gamma, "gamma"), (beta, "beta"))]
    step.out("InstanceNormalization", [step.value, *given], epsilon=epsilon)


@layer("GroupNorm")
def _group_norm(step: Step) -> None:
    step.expect()
    groups, count = step.layer.integer(0, 1), step.layer.integer(1)
    epsilon, affine = step.layer.real(2, 1e-3), step.layer.integer(3, 1)
    if groups < 1 or step.channels() % groups:
        step.fail(f"{step.channels()} channels in {groups} groups")
    rows = step.reshape(step.value, [groups, -1])
    ones = [step.constant(np.full(groups, each, np.float32), "plain") for each in (1, 0)]
    made = step.node("InstanceNormalization", [rows, *ones], epsilon=epsilon)
    made = step.reshape(made, [step.dim(step.value, axis) for axis in range(step.rank())])
    if affine:
        gamma, beta = step.floats(count), step.floats(count)
        made = step.node("Mul", [made, step.per_channel(gamma, "gamma")])
        made = step.node("Add", [made, step.per_channel(beta, "beta")])
    step.name_top(made)


@layer("LayerNorm")
def _layer_norm(step: Step) -> None:
    """Over rows where they are as long as the weights, else over whole channels."""
    step.expect()
    size, epsilon, affine = step.layer.integer(0), step.layer.real(1, 1e-3), step.layer.integer(2, 1)
    shape = step.shape()
    last = step.size(shape[-1])
    over = 1 if len(shape) < 3 or last == size else 2
    dims = [step.size(each) for each in shape[-over:]]
    if int(np.prod(dims)) != size:
        step.fail(f"it normalises {size} numbers and is given {dims}")
    gamma, beta = (step.floats(size), step.floats(size)) if affine else (np.ones(size), np.zeros(size))
    given = [
        step.constant(each.astype(np.float32).reshape(dims), name) for each, name in ((gamma, "gamma"), (beta, "beta"))
    ]
    step.out("LayerNormalization", [step.value, *given], axis=-over, epsilon=epsilon)


@layer("Softmax")
def _softmax(step: Step) -> None:
    step.expect()
    axis, mended = step.layer.integer(0), step.layer.integer(1)
    if not mended and axis != 0:
        step.unsupported("it is of an old version of ncnn, which counted axes in another way")
    step.out("Softmax", [step.value], axis=step.axis(axis, step.rank()))
