"""Layers that join, repeat and rearrange."""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import activate
from .step import Shape, Step, layer


def earlier(step: Step, index: int) -> tuple[str, Shape]:
    """Another layer's result; a negative index counts back from this layer."""
    found = step.section.index + index if index < 0 else index
    if not 0 <= found < len(step.made):
        step.fail(f"it refers to the layer {index}, which does not come before it")
    return step.made[found]


@layer("route")
def route(step: Step) -> None:
    """Channels of several layers behind each other, or one of `groups` equal parts of each."""
    section = step.section
    step.refuse_options(stream="-1", wait_stream="-1")
    groups, which = section.integer("groups", 1), section.integer("group_id", 0)
    sources = [earlier(step, int(each)) for each in section.numbers("layers")]
    if not sources or groups < 1 or not 0 <= which < groups:
        step.fail(f"{len(sources)} layers, group {which} of {groups}")
    parts, channels = [], 0
    for value, shape in sources:
        if shape[1:] != sources[0][1][1:] or shape[0] % groups:
            step.fail(f"it joins {sources[0][1]} and {shape} in {groups} groups")
        part = shape[0] // groups
        if groups > 1:
            bounds = [step.ints([each], name) for each, name in ((part * which, "from"), (part * (which + 1), "to"))]
            value = step.node("Slice", [value, *bounds, step.ints([1], "axis")])
        parts.append(value)
        channels += part
    value = step.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
    step.done(value, [channels, *sources[0][1][1:]])


@layer("shortcut", limits="no images that are smaller than the layer's own")
def shortcut(step: Step) -> None:
    """A sum, where asked for with learned factors; channels that the other layer has not are left as they are. Of a
    larger image every n-th pixel counts: where Redmon's ResNets halve, that is all they have of a projection."""
    section = step.section
    step.refuse_options(alpha="1", beta="1", assisted_excitation="0")
    sources = [earlier(step, int(each)) for each in section.numbers("from")]
    if not sources:
        step.fail("it has no `from`")
    channels = step.image()[0]
    values = [step.value]
    for value, shape in sources:
        if shape[1:] != step.shape[1:]:
            value = _thinned(step, value, shape)
        values.append(_fit(step, value, shape[0], channels))
    factors = _factors(step, len(values), channels)
    if factors is not None:
        values = [
            step.node("Mul", [value, step.constant(factor.reshape(-1, 1, 1), f"factor{index}")])
            for index, (value, factor) in enumerate(zip(values, factors, strict=True))
        ]
    total = values[0]
    for value in values[1:]:
        total = step.node("Add", [total, value])
    step.done(activate(step, total, section.text("activation", "linear")), step.shape)


def _thinned(step: Step, value: str, shape: Shape) -> str:
    """Darknet divides the sizes and drops the rest: 57 pixels to 28 are every second of the first 56."""
    strides = {have // want for have, want in zip(shape[1:], step.shape[1:], strict=True)}
    if len(shape) != 3 or len(strides) != 1 or strides == {0}:
        step.fail(f"it adds {shape} to {step.shape}", "unsupported")
    (stride,) = strides
    ends = [(want - 1) * stride + 1 for want in step.shape[1:]]
    bounds = ((0, 0), ends, (2, 3), (stride, stride))
    names = ("starts", "ends", "axes", "steps")
    return step.node("Slice", [value, *(step.ints(each, name) for each, name in zip(bounds, names, strict=True))])


def _fit(step: Step, value: str, have: int, want: int) -> str:
    if have > want:
        bounds = [step.ints([each], name) for each, name in ((0, "from"), (want, "to"), (1, "axis"))]
        return step.node("Slice", [value, *bounds])
    if have < want:
        pads = step.ints([0, 0, 0, 0, 0, want - have, 0, 0], "pads")
        return step.node("Pad", [value, pads, step.number(0, "zero")])
    return value


def _factors(step: Step, count: int, channels: int) -> Any:
    """[inputs, 1 or channels], normalised. None where the sum is plain."""
    kind = step.section.text("weights_type", "none")
    normal = step.section.text("weights_normalization", step.section.text("weights_normalizion", "none"))
    if kind == "none":
        return None
    if kind not in ("per_feature", "per_layer", "per_channel"):
        step.fail(f"weights_type={kind[:40]}", "unsupported")
    weights = step.weight(count, channels if kind == "per_channel" else 1).astype(np.float64)
    if normal in ("relu", "avg_relu"):
        weights = np.maximum(weights, 0)
        return (weights / (weights.sum(0) + 1e-4)).astype(np.float32)
    if normal == "softmax":
        weights = np.exp(weights - weights.max(0))
        return (weights / (weights.sum(0) + 1e-4)).astype(np.float32)
    if normal != "none":
        step.fail(f"weights_normalization={normal[:40]}", "unsupported")
    return weights.astype(np.float32)


@layer("scale_channels", "sam", limits="one other layer")
def scaled(step: Step) -> None:
    """Another layer's image times this one: number by number, or one factor per channel."""
    section = step.section
    step.refuse_options(scale_wh="0")
    sources = [earlier(step, int(each)) for each in section.numbers("from")]
    if len(sources) != 1:
        step.fail(f"it has {len(sources)} layers in `from`")
    value, shape = sources[0]
    if shape != step.shape and (section.kind == "sam" or step.shape != [shape[0], 1, 1]):
        step.fail(f"it multiplies {shape} and {step.shape}")
    made = step.node("Mul", [value, step.value])
    step.done(activate(step, made, section.text("activation", "linear")), shape)


@layer("upsample", limits="enlarging only")
def upsample(step: Step) -> None:
    section = step.section
    channels, height, width = step.image()
    stride, scale = section.integer("stride", 2), section.real("scale", 1.0)
    if stride < 1:
        step.fail(f"stride={stride}", "unsupported")
    scales = step.constant(np.array([1, 1, stride, stride], np.float32), "scales")
    value = step.node(
        "Resize", [step.value, "", scales], mode="nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    if scale != 1:
        value = step.node("Mul", [value, step.number(scale, "scale")])
    step.done(value, [channels, height * stride, width * stride])


@layer("reorg", limits="not reversed, not flattened")
def reorg(step: Step) -> None:
    """Darknet reads the image as if it were `stride` times as large with fewer channels, and gathers from that: an
    order of its own, which trained nets rely on."""
    step.refuse_options(reverse="0", flatten="0", extra="0")
    channels, height, width = step.image()
    stride = step.section.integer("stride", 1)
    if stride < 1 or channels % stride**2 or height % stride or width % stride:
        step.fail(f"stride {stride} for {step.shape}")
    few = channels // stride**2
    value = step.reshape(step.value, [few, height, stride, width, stride])
    value = step.node("Transpose", [value], perm=[0, 3, 5, 1, 2, 4])
    result = [channels * stride**2, height // stride, width // stride]
    step.done(step.reshape(value, result), result)


@layer("crop")
def crop(step: Step) -> None:
    """The middle of the image; unless told not to, numbers from 0 to 1 become -1 to 1."""
    section = step.section
    channels, height, width = step.image()
    sizes = [section.integer("crop_height", 1), section.integer("crop_width", 1)]
    starts = [(full - size) // 2 for full, size in zip((height, width), sizes, strict=True)]
    if min(*sizes) < 1 or min(starts) < 0:
        step.fail(f"{sizes} of {height} x {width}")
    ends = [low + size for low, size in zip(starts, sizes, strict=True)]
    bounds = [step.ints(each, name) for each, name in ((starts, "starts"), (ends, "ends"), ([2, 3], "axes"))]
    value = step.node("Slice", [step.value, *bounds])
    if not section.integer("noadjust"):
        value = step.node("Mul", [value, step.number(2, "two")])
        value = step.node("Sub", [value, step.number(1, "one")])
    step.done(value, [channels, *sizes])


@layer("activation")
def activation(step: Step) -> None:
    step.done(activate(step, step.value, step.section.text("activation", "linear")), step.shape)


@layer("logistic")
def logistic(step: Step) -> None:
    step.done(step.node("Sigmoid", [step.value]), step.shape)


@layer("dropout", "cost", "empty", "silence")
def nothing(step: Step) -> None:
    """What training alone has a use for."""
    step.done(step.value, step.shape)
