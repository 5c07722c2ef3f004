"""What MNN's old quantiser wrote: data of int8 between FloatToInt8 and Int8ToFloat.

Here such data are floats that hold whole numbers: sums of products stay below 2 ** 24, so they are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kit.flatbuffer import Table
from ..step import Step, operator
from .convolving import finish, geometry, read_common

_LEAST, _GREATEST = -127, 127  # of MNN 1; later files say theirs
_EXACT = 1 << 24
_FLOAT, _INT32 = 1, 6  # of the enum TensorProto.DataType


def _limits(step: Step, table: Table, relu: bool = False) -> tuple[float, float]:
    low, high = int(table.number(8, "int8", _LEAST)), int(table.number(9, "int8", _GREATEST))
    if int(table.number(6, "int8")) or int(table.number(7, "int8")):
        step.unsupported("its zero is another number than 0")
    return (max(0, low) if relu else low), high


def _clipped(step: Step, value: str, limits: tuple[float, float], half: float = 0.5) -> str:
    bounds = [step.number(each, name) for each, name in zip(limits, ("low", "high"), strict=True)]
    return step.node("Clip", [_nearest(step, value, half), *bounds])


def _nearest(step: Step, value: str, half: float = 0.5) -> str:
    """To the nearest whole number, halves away from zero, as C rounds; half = 0: what is behind the point is gone."""
    size = step.node("Abs", [value])
    if half:
        size = step.node("Add", [size, step.number(half, "half")])
    return step.node("Mul", [step.node("Sign", [value]), step.node("Floor", [size])])


def _whole(array: Any) -> Any:
    return np.asarray(array).astype(np.float32)


def _factor(step: Step, scale: Any, name: str) -> str:
    """One for all channels, or one for each."""
    if step.rank() < 2:
        step.fail(f"it is given {step.shape()}, which has no channels")
    channels = step.shape()[1]
    if not scale.size or (scale.size != 1 and scale.size != channels and isinstance(channels, int)):
        step.fail(f"{scale.size} scales for {channels} channels")
    return step.constant(scale.reshape(-1, *[1] * (step.rank() - 2)) if scale.size > 1 else scale[0], name)


@operator("FloatToInt8", "Int8ToFloat")
def _between(step: Step) -> None:
    step.expect()
    table = step.op.table("QuantizedFloatParam")
    scale = table.array(3, "float32")
    made = step.node("Mul", [step.value, _factor(step, scale, "scale")])
    limits = _limits(step, table)
    step.name_top(_clipped(step, made, limits) if step.op.type == "FloatToInt8" else made)


@operator("ConvInt8", "DepthwiseConvInt8", limits="only as MNN's old quantiser wrote them")
def _convolution(step: Step) -> None:
    step.expect()
    table = step.op.table("Convolution2D")
    common = read_common(step, table)
    quantised = table.table(4)
    if quantised is None or not quantised.view(0):
        step.unsupported("its scales are those of a newer quantiser")
    channels = step.image()[1]
    weights = np.frombuffer(bytes(quantised.view(0)), np.int8)
    bias, scale = quantised.array(1, "int32"), quantised.array(2, "float32")
    area = common.kernel[0] * common.kernel[1]
    each = weights.size // common.outputs // area
    group = common.outputs if step.op.type == "DepthwiseConvInt8" else common.group
    if weights.size != each * common.outputs * area or channels != each * group:
        step.fail(f"{weights.size:,} weights are not those of {channels} channels and {common.outputs} outputs")
    if bias.size != common.outputs or scale.size != common.outputs:
        step.fail(f"{bias.size} biases and {scale.size} scales for {common.outputs} outputs")
    rows = np.abs(weights.reshape(common.outputs, -1).astype(np.int64)).sum(axis=1)
    if int((128 * rows + np.abs(bias.astype(np.int64))).max()) >= _EXACT:
        step.unsupported("its sums are too large to be exact in floats")
    inputs = [step.value, step.constant(_whole(weights).reshape(common.outputs, each, *common.kernel), "weight")]
    made = step.node("Conv", [*inputs, step.constant(_whole(bias), "bias")], group=group, **geometry(common))
    # They are whole already; said so, no optimiser folds the scale into the weights, whose sums would not be exact.
    made = step.node("Cast", [step.node("Cast", [made], to=_INT32)], to=_FLOAT)
    made = step.node("Mul", [made, step.constant(scale.reshape(-1, 1, 1), "scale")])
    finish(step, _clipped(step, made, _limits(step, quantised, common.relu or common.relu6)))


@operator("EltwiseInt8")
def _eltwise(step: Step) -> None:
    """A sum: the quantiser makes it of nothing else, and MNN does not look at the kind that the file says.
    It does not round."""
    step.expect(2)
    table = step.op.table("EltwiseInt8")
    parts = [table.table(slot) for slot in (1, 2, 3)]
    scales = []
    for part in parts:
        if part is None:
            step.fail("it lacks a scale")
        array = part.array(3, "float32")
        scales.append(_factor(step, array if array.size else part.array(2, "float32"), "scale"))
    terms = [step.node("Mul", [value, scale]) for value, scale in zip(step.inputs, scales[:2], strict=True)]
    made = step.node("Mul", [step.node("Add", terms), scales[2]])
    last = parts[2]
    assert last is not None
    step.name_top(_clipped(step, made, _limits(step, last), half=0.0))
