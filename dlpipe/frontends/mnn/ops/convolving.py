"""Convolutions and their transposes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...kit.flatbuffer import Table
from ..schema import NC4HW4
from ..step import Step, operator
from ..weights import read_weights

EXPLICIT, VALID, SAME = 0, 1, 2


@dataclass
class Common:
    """The table Convolution2DCommon. Pairs are (height's, width's)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: list[int]  # top, left, bottom, right
    mode: int
    group: int
    outputs: int
    relu: bool
    relu6: bool
    more: list[int]  # outPads
    sized: bool


def read_common(step: Step, table: Table) -> Common:
    common = table.table(0)
    if common is None:
        step.fail("it does not say how it computes")

    def pair(across: int, down: int) -> tuple[int, int]:
        found = int(common.number(down, "int32", 1)), int(common.number(across, "int32", 1))
        if min(found) < 1 or max(found) > 1 << 20:
            step.fail(f"it has the sizes {found}")
        return found

    x, y = int(common.number(0, "int32")), int(common.number(1, "int32"))
    listed = [int(each) for each in common.array(14, "int32")]
    pads = {4: listed, 2: [*listed, *listed]}.get(len(listed), [y, x, y, x])
    mode = int(common.number(8, "int8"))
    outputs, group = int(common.number(10, "int32")), int(common.number(9, "int32", 1))
    if mode not in (EXPLICIT, VALID, SAME) or min(pads) < 0 or outputs < 1 or group < 1:
        step.fail(f"its paddings are {pads} in the mode {mode}, {outputs} outputs in {group} groups")
    return Common(
        pair(2, 3), pair(4, 5), pair(6, 7), pads if mode == EXPLICIT else [0, 0, 0, 0], mode, group, outputs,
        bool(common.number(12, "bool", False)), bool(common.number(13, "bool", False)),
        [int(each) for each in common.array(15, "int32")], bool(common.number(16, "bool", False)),
    )  # fmt: skip


def activated(step: Step, value: str, common: Common) -> str:
    if common.relu6:
        return step.node("Clip", [value, step.number(0, "min"), step.number(6, "max")])
    return step.node("Relu", [value]) if common.relu else value


def geometry(common: Common) -> dict[str, Any]:
    return {
        "kernel_shape": common.kernel,
        "strides": common.stride,
        "dilations": common.dilation,
        "auto_pad": "SAME_UPPER" if common.mode == SAME else None,
        "pads": None if common.mode == SAME else common.pads,
    }


def _read(step: Step, common: Common, table: Table) -> tuple[Any, Any]:
    """Weights and biases, flat: the operator's own, or constants that go in."""
    step.expect((1, 3))
    if len(step.inputs) > 1:
        given = [step.graph.array(each) for each in step.inputs[1:]]
        if any(each is None for each in given):
            step.unsupported("its weights are computed at run time")
        flat = [np.asarray(each, np.float32).reshape(-1) for each in given]
        return flat[0], flat[1] if len(flat) > 1 else table.array(2, "float32")
    if table.table(5) is not None and not table.array(1, "float32").size and table.table(3) is None:
        step.unsupported("its weights are a sparse block format")
    weights = read_weights(step.op, table.array(1, "float32"), table.table(3), common.outputs)
    bias = table.array(2, "float32")
    area = common.outputs * common.kernel[0] * common.kernel[1]
    if not weights.size or weights.size % area:
        step.fail(f"{weights.size:,} weights are not those of {common.outputs} kernels of {common.kernel}")
    if bias.size not in (0, common.outputs):
        step.fail(f"{bias.size} biases for {common.outputs} outputs")
    return weights, bias


@operator("Convolution", "ConvolutionDepthwise", limits="no weights that are computed at run time")
def _convolution(step: Step) -> None:
    table = step.op.table("Convolution2D")
    common = read_common(step, table)
    channels = step.image()[1]
    weights, bias = _read(step, common, table)
    each = weights.size // common.outputs // (common.kernel[0] * common.kernel[1])
    group = common.group
    if step.op.type == "ConvolutionDepthwise":
        if each != 1:
            step.unsupported("it has more than one kernel per channel and group")
        group = common.outputs
    if isinstance(channels, int) and channels != each * group:
        step.fail(f"it has weights for {each * group} channels and is given {channels}")
    inputs = [step.value, step.constant(weights.reshape(common.outputs, each, *common.kernel), "weight")]
    if bias.size:
        inputs.append(step.constant(bias, "bias"))
    made = step.node("Conv", inputs, group=group, **geometry(common))
    finish(step, activated(step, made, common))


def finish(step: Step, value: str) -> None:
    """The result is an image in NCHW."""
    step.format = NC4HW4
    step.name_top(value)


@operator("Deconvolution", "DeconvolutionDepthwise", limits="no weights that are computed at run time")
def _deconvolution(step: Step) -> None:
    table = step.op.table("Convolution2D")
    common = read_common(step, table)
    channels = step.image()[1]
    if common.sized or not isinstance(channels, int):
        step.unsupported("its size is computed at run time")
    weights, bias = _read(step, common, table)
    group = common.outputs if step.op.type == "DeconvolutionDepthwise" else common.group
    if weights.size * group != channels * common.outputs * common.kernel[0] * common.kernel[1]:
        step.fail(f"{weights.size:,} weights are not those of {channels} channels and {common.outputs} outputs")
    array = weights.reshape(channels, common.outputs // group, *common.kernel)
    inputs = [step.value, step.constant(array, "weight")]
    if bias.size:
        inputs.append(step.constant(bias, "bias"))
    how = geometry(common)
    if common.mode == SAME:  # the result is as large as the input times the stride
        over = [
            dilation * (kernel - 1) + 1 - stride
            for dilation, kernel, stride in zip(common.dilation, common.kernel, common.stride, strict=True)
        ]
        if min(over) < 0:
            step.unsupported("its kernel is smaller than its stride")
        begin, end = [each // 2 for each in over], [each - each // 2 for each in over]
        how.update(auto_pad=None, pads=[*begin, *end])
    more = common.more if len(common.more) == 2 else None
    if len(common.more) not in (0, 2):
        step.unsupported(f"it adds {common.more} to its size")
    made = step.node("ConvTranspose", inputs, group=group, output_padding=more, **how)
    finish(step, activated(step, made, common))
