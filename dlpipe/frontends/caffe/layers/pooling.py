"""Pooling with Caffe's own rules: sizes round up, and an average counts the padding but not what lies beyond it."""

from __future__ import annotations

from typing import Any

from ..step import Shape, Step, count, layer
from .convolution import window


@layer("Pooling", limits="no stochastic pooling; two spatial axes")
def pooling(step: Step) -> None:
    step.expect(1, (1, 2))
    params = step.params("pooling_param")
    step.rank(4)
    shape = step.shapes[0]
    if params.pool == "STOCHASTIC":
        step.fail("stochastic pooling has no fixed result", "unsupported")
    if len(step.tops) == 2 and params.pool != "MAX":
        step.fail("only max pooling has a second top")
    if params.global_pooling:
        if params.pad or params.pad_h or params.pad_w:
            step.fail("global pooling takes no padding")
        kernel, stride, pad = list(shape[2:]), [1, 1], [0, 0]
    else:
        kernel, stride, pad = window(step, params, 2)
    upward = params.round_mode == "CEIL" and params.ceil_mode
    if params.global_pooling and len(step.tops) == 1:
        step.out("GlobalMaxPool" if params.pool == "MAX" else "GlobalAveragePool", step.inputs, [*shape[:2], 1, 1])
        return
    result = [*shape[:2], *sizes(step, shape, kernel, stride, pad, upward)]
    if params.pool == "AVE":
        average(step, step.inputs[0], shape, result, kernel, stride, pad, step.tops[0])
        step.done(result)
        return
    attributes: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": [*pad, *ends(shape, result, kernel, stride, pad)],
    }
    if len(step.tops) == 1:
        step.out("MaxPool", step.inputs, result, **attributes)
        return
    index = step.graph.fresh(f"{step.layer.name}.index")
    step.graph.node("MaxPool", step.inputs, [step.tops[0], index], name=step.layer.name, **attributes)
    step.done(result)
    plane = step.node("Mod", [index, step.constant([count(shape[2:])], "plane")])  # ONNX counts over the whole blob
    step.out("Cast", [plane], result, 1, to=1)


def sizes(step: Step, shape: Shape, kernel: list[int], stride: list[int], pad: list[int], upward: bool) -> list[int]:
    """Spatial size of the result. A last window that would begin in the padding behind the input is dropped."""
    found = []
    for axis in range(2):
        if pad[axis] >= kernel[axis]:
            step.fail(f"padding {pad} is not smaller than the kernel {kernel}")
        room = shape[2 + axis] + 2 * pad[axis] - kernel[axis]
        if room < 0:
            step.fail(f"the kernel {kernel} is larger than the padded bottom {shape}")
        size = (-(-room // stride[axis]) if upward else room // stride[axis]) + 1
        if any(pad) and (size - 1) * stride[axis] >= shape[2 + axis] + pad[axis]:
            size -= 1
        if (size - 1) * stride[axis] >= shape[2 + axis] + pad[axis]:
            step.fail("its last window lies outside of the bottom, where Caffe gives no number")
        found.append(size)
    return found


def ends(shape: Shape, result: Shape, kernel: list[int], stride: list[int], pad: list[int]) -> list[int]:
    """Padding behind the input that gives just this size; none where windows leave a rest of it unused."""
    return [
        max(0, (result[2 + axis] - 1) * stride[axis] + kernel[axis] - shape[2 + axis] - pad[axis]) for axis in range(2)
    ]


def average(
    step: Step,
    value: str,
    shape: Shape,
    result: Shape,
    kernel: list[int],
    stride: list[int],
    pad: list[int],
    top: str | None = None,
) -> str:
    """Caffe divides by the part of the window inside the *padded* bottom: so zeros are laid around it first, and what
    the last windows reach beyond that is not counted."""
    padded: Any = [*shape[:2], *(size + 2 * each for size, each in zip(shape[2:], pad, strict=True))]
    if any(pad):
        around = step.ints([0, 0, *pad, 0, 0, *pad], "pads")
        value = step.node("Pad", [value, around, step.number(0, "zero")])
    attributes: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": [0, 0, *ends(padded, result, kernel, stride, [0, 0])],
        "count_include_pad": 0,
    }
    return step.graph.node("AveragePool", [value], top, name=step.layer.name, **attributes)


@layer("SPP", limits="no stochastic pooling")
def spatial_pyramid(step: Step) -> None:
    """He et al. 2014: each level pools into 2^level x 2^level bins; all of them flattened behind each other."""
    step.expect()
    params = step.params("spp_param")
    step.rank(4)
    shape = step.shapes[0]
    if params.pool == "STOCHASTIC":
        step.fail("stochastic pooling has no fixed result", "unsupported")
    if not 1 <= params.pyramid_height <= 10:
        step.fail(f"its pyramid_height is {params.pyramid_height}")
    parts, width = [], 0
    for level in range(params.pyramid_height):
        bins = 2**level
        kernel = [-(-size // bins) for size in shape[2:]]
        pad = [(each * bins - size + 1) // 2 for each, size in zip(kernel, shape[2:], strict=True)]
        result = [*shape[:2], *sizes(step, shape, kernel, kernel, pad, True)]
        if params.pool == "AVE":
            value = average(step, step.inputs[0], shape, result, kernel, kernel, pad)
        else:
            pads = [*pad, *ends(shape, result, kernel, kernel, pad)]
            value = step.node("MaxPool", step.inputs, kernel_shape=kernel, strides=kernel, pads=pads)
        parts.append(step.node("Flatten", [value], axis=1))
        width += count(result[1:])
    step.out("Concat", parts, [shape[0], width], axis=1)
