"""Layers with weights, and those that pool and normalise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .activations import activate
from .step import Step, layer

EPSILON = 1e-6


def _normalise(step: Step, value: str, normal: list[Any], bias: Any) -> str:
    """normal: scale, mean and variance, in the order of the file."""
    names = ("scale", "bias", "mean", "variance")
    arrays = (normal[0], bias, *normal[1:])
    constants = [step.constant(each, name) for each, name in zip(arrays, names, strict=True)]
    return step.node("BatchNormalization", [value, *constants], epsilon=EPSILON)


@layer("convolutional", "conv", limits="no shared, deformable, binary or anti-aliased kernels")
def convolutional(step: Step) -> None:
    section = step.section
    step.refuse_options(
        flipped="0", binary="0", xnor="0", antialiasing="0", share_index="-1000000000", rotate="0", stretch="0",
        stretch_sway="0", sway="0", deform="0", assisted_excitation="0", batch_normalize_cbn="0", cbn="0",
        coordconv="0", use_bin_output="0", bin_output="0", dot="0", sparse="0",
    )  # fmt: skip
    channels, height, width = step.image()
    filters, size, groups = section.integer("filters", 1), section.integer("size", 1), section.integer("groups", 1)
    stride = section.integer("stride", 1)
    strides = [section.integer("stride_y", stride), section.integer("stride_x", stride)]
    strides = [each if each > 0 else stride for each in strides]
    dilation = section.integer("dilation", 1)
    pad = size // 2 if section.integer("pad") else section.integer("padding")
    if min(filters, size, groups, *strides, dilation) < 1 or pad < 0 or channels % groups or filters % groups:
        step.fail(f"{filters} filters of the size {size}, {groups} groups, stride {strides}, padding {pad}")
    if size == 1:
        dilation = 1
    pad *= dilation
    bias = step.weight(filters)
    normal = [step.weight(filters) for _ in range(3)] if section.integer("batch_normalize") else None
    kernel = step.constant(step.weight(filters, channels // groups, size, size), "weight")
    inputs = [step.value, kernel] if normal else [step.value, kernel, step.constant(bias, "bias")]
    extent = dilation * (size - 1) + 1
    sizes = [(full + 2 * pad - extent) // each + 1 for full, each in zip((height, width), strides, strict=True)]
    value = step.node(
        "Conv", inputs, kernel_shape=[size] * 2, strides=strides, pads=[pad] * 4, dilations=[dilation] * 2, group=groups
    )
    if normal:
        value = _normalise(step, value, normal, bias)
    step.done(activate(step, value, section.text("activation", "logistic")), [filters, *sizes])


@layer("deconvolutional", "deconv")
def deconvolutional(step: Step) -> None:
    section = step.section
    channels, height, width = step.image()
    filters, size, stride = section.integer("filters", 1), section.integer("size", 1), section.integer("stride", 1)
    pad = size // 2 if section.integer("pad") else section.integer("padding")
    if min(filters, size, stride) < 1 or pad < 0:
        step.fail(f"{filters} filters of the size {size}, stride {stride}, padding {pad}")
    bias = step.weight(filters)
    normal = [step.weight(filters) for _ in range(3)] if section.integer("batch_normalize") else None
    kernel = step.constant(step.weight(channels, filters, size, size), "weight")
    inputs = [step.value, kernel] if normal else [step.value, kernel, step.constant(bias, "bias")]
    value = step.node("ConvTranspose", inputs, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4)
    if normal:
        value = _normalise(step, value, normal, bias)
    sizes = [(full - 1) * stride + size - 2 * pad for full in (height, width)]
    step.done(activate(step, value, section.text("activation", "logistic")), [filters, *sizes])


@layer("connected", "conn")
def connected(step: Step) -> None:
    section = step.section
    inputs, outputs = math.prod(step.shape), section.integer("output", 1)
    if outputs < 1:
        step.fail(f"output={outputs}")
    bias = step.weight(outputs)
    matrix = step.weight(inputs, outputs).T if step.weights.transposed else step.weight(outputs, inputs)
    normal = [step.weight(outputs) for _ in range(3)] if section.integer("batch_normalize") else None
    value = step.value if len(step.shape) == 1 else step.node("Flatten", [step.value], axis=1)
    weight = step.constant(np.ascontiguousarray(matrix), "weight")
    if normal:
        value = _normalise(step, step.node("Gemm", [value, weight], transB=1), normal, bias)
    else:
        value = step.node("Gemm", [value, weight, step.constant(bias, "bias")], transB=1)
    step.done(activate(step, value, section.text("activation", "logistic")), [outputs])


@layer("local")
def local(step: Step) -> None:
    """A convolution with kernels of its own at every place: windows are laid out by a convolution that only copies."""
    section = step.section
    channels, height, width = step.image()
    filters, size, stride = section.integer("filters", 1), section.integer("size", 1), section.integer("stride", 1)
    pad = size // 2 if section.integer("pad") else 0
    if min(filters, size, stride) < 1:
        step.fail(f"{filters} filters of the size {size}, stride {stride}")
    rows, columns = ((full - (0 if pad else size) - (1 if pad else 0)) // stride + 1 for full in (height, width))
    if min(rows, columns) < 1:
        step.fail("what came before is too small")
    places, inner = rows * columns, channels * size * size
    if inner * inner > 1 << 26:
        step.fail(f"windows of {inner:,} numbers", "unsupported")
    bias = step.weight(filters, rows, columns)
    kernels = step.weight(places, filters, inner)
    copy = step.constant(np.eye(inner, dtype=np.float32).reshape(inner, channels, size, size), "copy")
    ends = [(n - 1) * stride + size - full - pad for n, full in zip((rows, columns), (height, width), strict=True)]
    pads = [pad, pad, *(max(each, 0) for each in ends)]
    value = step.node("Conv", [step.value, copy], kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads)
    value = step.node("Transpose", [step.reshape(value, [inner, places, 1])], perm=[0, 2, 1, 3])
    value = step.node("MatMul", [step.constant(kernels, "weight"), step.reshape(value, [places, inner, 1])])
    value = step.node("Transpose", [step.reshape(value, [places, filters])], perm=[0, 2, 1])
    value = step.node("Add", [step.reshape(value, [filters, rows, columns]), step.constant(bias, "bias")])
    step.done(activate(step, value, section.text("activation", "logistic")), [filters, rows, columns])


@layer("batchnorm")
def batchnorm(step: Step) -> None:
    channels = step.shape[0]
    bias, *normal = (step.weight(channels) for _ in range(4))
    step.done(_normalise(step, step.value, normal, bias), step.shape)


@layer("maxpool", "max", limits="not over channels, not anti-aliased")
def maxpool(step: Step) -> None:
    """`padding` is that of both sides together; the smaller half comes first."""
    step.refuse_options(maxpool_depth="0", antialiasing="0", out_channels="1")
    section = step.section
    channels, height, width = step.image()
    stride = section.integer("stride", 1)
    strides = [section.integer("stride_y", stride), section.integer("stride_x", stride)]
    size = section.integer("size", stride)
    padding = section.integer("padding", size - 1)
    if min(size, *strides) < 1 or not 0 <= padding // 2 < size:
        step.fail(f"size {size}, stride {strides}, padding {padding}")
    sizes = [(full + padding - size) // each + 1 for full, each in zip((height, width), strides, strict=True)]
    ends = [
        max((made - 1) * each + size - full - padding // 2, 0)
        for made, full, each in zip(sizes, (height, width), strides, strict=True)
    ]
    if min(sizes) < 1 or max(ends) >= size:
        step.fail(f"size {size}, stride {strides}, padding {padding} for {height} x {width}")
    pads = [padding // 2] * 2 + ends
    value = step.node("MaxPool", [step.value], kernel_shape=[size] * 2, strides=strides, pads=pads)
    step.done(value, [channels, *sizes])


@layer("avgpool", "avg")
def avgpool(step: Step) -> None:
    channels, _, _ = step.image()
    step.done(step.node("GlobalAveragePool", [step.value]), [channels, 1, 1])


@layer("normalization", "lrn")
def normalization(step: Step) -> None:
    """Local response over channels; alpha is not divided by the size of the window."""
    section = step.section
    step.image()
    size = section.integer("size", 5)
    if size < 1 or size % 2 == 0:
        step.fail(f"size={size}")
    alpha, beta, kappa = (section.real(*each) for each in (("alpha", 1e-4), ("beta", 0.75), ("kappa", 1.0)))
    step.done(step.node("LRN", [step.value], size=size, alpha=alpha * size, beta=beta, bias=kappa), step.shape)


@layer("softmax", "soft", limits="no tree of labels")
def softmax(step: Step) -> None:
    """Over everything, in groups; with `spatial` over channels at every place."""
    section = step.section
    step.refuse_options(tree="", temperature="1")
    if section.integer("spatial"):
        step.done(step.node("Softmax", [step.value], axis=1), step.shape)
        return
    groups, total = section.integer("groups", 1), math.prod(step.shape)
    if groups < 1 or total % groups:
        step.fail(f"{total} numbers in {groups} groups")
    value = step.node("Softmax", [step.reshape(step.value, [groups, total // groups])], axis=2)
    step.done(step.reshape(value, step.shape), step.shape)
