"""Transposed convolutions."""

from __future__ import annotations

import numpy as np

from ..step import Step, layer
from .activating import activated
from .convolving import pair


@layer("Deconvolution", "DeconvolutionDepthWise", limits="no weights that are computed at run time, no int8")
def _deconvolution(step: Step) -> None:
    step.expect()
    step.rank(3)
    outputs, bias, size = step.layer.integer(0), step.layer.integer(5), step.layer.integer(6)
    kernel, dilation, stride = pair(step, 1, 11, 0), pair(step, 2, 12, 1), pair(step, 3, 13, 1)
    group = step.layer.integer(7, 1) if step.layer.type == "DeconvolutionDepthWise" else 1
    if step.layer.integer(28):
        step.unsupported("its weights are computed at run time")
    area = outputs * kernel[0] * kernel[1]
    if outputs < 1 or group < 1 or outputs % group or size < 1 or size % area:
        step.fail(f"{size:,} weights are not those of {outputs} kernels of {kernel[0]} x {kernel[1]} in {group} groups")
    array = step.weight(group, outputs // group, size // area, *kernel)
    if array.dtype == np.int8:
        step.unsupported("its weights are int8")
    turned = array.transpose(0, 2, 1, 3, 4).reshape(-1, outputs // group, *kernel)
    inputs = [step.value, step.constant(turned, "weight")]
    if bias:
        inputs.append(step.constant(step.floats(outputs), "bias"))
    right = step.layer.integer(18)
    more = (step.layer.integer(19, right), right)
    pads = _cut(step, kernel, dilation, stride, more)
    made = step.node(
        "ConvTranspose",
        inputs,
        kernel_shape=kernel,
        dilations=dilation,
        strides=stride,
        group=group,
        output_padding=more,
        pads=pads,
    )
    step.name_top(activated(step, made))


def _cut(
    step: Step, kernel: tuple[int, int], dilation: tuple[int, int], stride: tuple[int, int], more: tuple[int, int]
) -> list[int]:
    """What is cut off: (top, left, bottom, right)."""
    left = step.layer.integer(4)
    top = step.layer.integer(14, left)
    pads = [top, left, step.layer.integer(16, top), step.layer.integer(15, left)]
    across = step.layer.integer(20)
    sizes = [step.layer.integer(21, across), across]
    if min(pads) >= 0:
        if any(sizes) and not any(pads):
            step.unsupported("it has a size of its own and no rule where to cut")
        return pads
    if set(pads) not in ({-233}, {-234}) or min(sizes) < 1:
        step.unsupported(f"its paddings are {pads}, its size {sizes}")
    begin, end = [], []
    for axis in range(2):
        given = step.size(step.shape()[1 + axis])
        whole = (given - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 + more[axis]
        over = whole - sizes[axis]
        if over < 0:
            step.fail(f"it makes {whole} numbers and is asked for {sizes[axis]}")
        small, large = over // 2, over - over // 2
        begin.append(small if pads[0] == -233 else large)
        end.append(large if pads[0] == -233 else small)
    return [*begin, *end]
