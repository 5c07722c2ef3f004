"""Convolutions, in 32-bit floats and in int8."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..step import Step, layer
from .activating import activated
from .quantising import data, quantised, weights

SAME_UPPER, SAME_LOWER = -233, -234


def pair(step: Step, across: int, down: int, default: int, least: int = 1) -> tuple[int, int]:
    """(height's, width's) of two parameters; that of the height is the width's where it is absent."""
    width = step.layer.integer(across, default)
    height = step.layer.integer(down, width)
    if min(width, height) < least:
        step.fail(f"parameters {across} and {down} are {width} and {height}")
    return height, width


def padding(step: Step) -> tuple[list[int], str]:
    """(top, left, bottom, right), and how ONNX calls it."""
    left = step.layer.integer(4)
    top = step.layer.integer(14, left)
    right = step.layer.integer(15, left)
    bottom = step.layer.integer(16, top)
    pads = [top, left, bottom, right]
    for kind, name in ((SAME_UPPER, "SAME_UPPER"), (SAME_LOWER, "SAME_LOWER")):
        if kind in pads:
            if set(pads) != {kind}:
                step.unsupported(f"its paddings are {pads}")
            return [0, 0, 0, 0], name
    if min(pads) < 0:
        step.fail(f"its paddings are {pads}")
    return pads, "NOTSET"


@layer("Convolution", "ConvolutionDepthWise", limits="no weights that are computed at run time")
def _convolution(step: Step) -> None:
    step.expect()
    outputs = step.layer.integer(0)
    kernel, dilation, stride = pair(step, 1, 11, 0), pair(step, 2, 12, 1), pair(step, 3, 13, 1)
    group = step.layer.integer(7, 1) if step.layer.type == "ConvolutionDepthWise" else 1
    pads, auto = padding(step)
    fill = step.layer.real(18)
    if step.layer.integer(19):
        step.unsupported("its weights are computed at run time")
    array, scales = _weights(step, outputs, group, kernel)
    if step.rank() == 1:
        if kernel != (1, 1) or group != 1 or scales:
            step.unsupported("it is given a vector")
        _on_vector(step, array)
        return
    if step.rank() == 2:  # one row of each channel
        step.unsupported("it is given a matrix")
    value = data(step, step.value, scales)
    if fill and any(pads):
        amounts = step.ints([0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]], "pads")
        value, pads = step.node("Pad", [value, amounts, step.number(fill, "fill")]), [0, 0, 0, 0]
    elif fill and auto != "NOTSET":
        step.unsupported("it fills a padding of unknown size with another value than 0")
    inputs = [value, weights(step, array["weight"], scales)]
    if "bias" in array:
        inputs.append(step.constant(array["bias"], "bias"))
    made = step.node(
        "Conv",
        inputs,
        kernel_shape=kernel,
        dilations=dilation,
        strides=stride,
        group=group,
        auto_pad=None if auto == "NOTSET" else auto,
        pads=pads if auto == "NOTSET" else None,
    )
    step.name_top(quantised(step, activated(step, made), scales))


def _weights(step: Step, outputs: int, group: int, kernel: tuple[int, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """weight [out, in / group, height, width] and bias; and the scales of an int8 layer."""
    bias, size, int8 = step.layer.integer(5), step.layer.integer(6), step.layer.integer(8)
    area = outputs * kernel[0] * kernel[1]
    if outputs < 1 or group < 1 or outputs % group or size < 1 or size % area:
        step.fail(f"{size:,} weights are not those of {outputs} kernels of {kernel[0]} x {kernel[1]} in {group} groups")
    array = {"weight": step.weight(outputs, size // area, *kernel)}
    if bias:
        array["bias"] = step.floats(outputs)
    scales: dict[str, Any] = {}
    if int8:
        if step.layer.type == "ConvolutionDepthWise" and int8 in (1, 101):
            scales["weight"] = np.repeat(step.floats(group), outputs // group)
        else:
            scales["weight"] = step.floats(1 if step.layer.type == "ConvolutionDepthWise" else outputs)
        scales["data"] = step.floats(1)
        if int8 > 100:
            scales["result"] = step.floats(1)
    return array, scales


def _on_vector(step: Step, array: dict[str, Any]) -> None:
    matrix = array["weight"].reshape(array["weight"].shape[:2])
    if matrix.dtype == np.int8:
        step.fail("its weights are int8, and it has no scales for them")
    inputs = [step.value, step.constant(matrix, "weight")]
    if "bias" in array:
        inputs.append(step.constant(array["bias"], "bias"))
    step.name_top(activated(step, step.node("Gemm", inputs, transB=1)))
