"""Normalisation: batch, instance, group, layer, local response, unit length."""

from __future__ import annotations

from typing import Any

import numpy as np

from .converter import Converter
from .nets import Operator
from .table import converts

_EPSILON = 1e-5


@converts("SpatialBN")
def _batch(converter: Converter, op: Operator) -> None:
    if not op.args.integer("is_test"):
        raise converter.unsupported(op, "it normalises with the statistics of the batch: this net is the one to train")
    op.args.ignore("num_batches", "mean", "var")
    x = converter.value(op, 0)
    last = converter.channels_last(op) and converter.rank(x) > 2
    if last:
        x = converter.to_first(op, x)
    inputs = [x, *(converter.value(op, index) for index in range(1, 5))]
    epsilon = op.args.number("epsilon", _EPSILON)
    if last:
        made = converter.emit(op, "BatchNormalization", inputs, epsilon=epsilon)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "BatchNormalization", inputs, epsilon=epsilon)


@converts("InstanceNorm", note="the outputs with mean and deviation are not made")
def _instance(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    last = converter.channels_last(op)
    if last:
        x = converter.to_first(op, x)
    inputs = [x, converter.value(op, 1), converter.value(op, 2)]
    epsilon = op.args.number("epsilon", _EPSILON)
    if last:
        made = converter.emit(op, "InstanceNormalization", inputs, epsilon=epsilon)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "InstanceNormalization", inputs, epsilon=epsilon)


@converts("GroupNorm", note="the outputs with mean and deviation are not made")
def _group(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    last = converter.channels_last(op)
    if last:
        x = converter.to_first(op, x)
    groups = op.args.integer("group", 32)
    shape = converter.emit(op, "Shape", [x])
    split = converter.emit(op, "Reshape", [x, converter.constant(op, [0, groups, -1], np.int64)])
    one, zero = (converter.constant(op, np.full(groups, each, np.float32)) for each in (1, 0))
    epsilon = op.args.number("epsilon", _EPSILON)
    normal = converter.emit(op, "InstanceNormalization", [split, one, zero], epsilon=epsilon)
    joined = converter.emit(op, "Reshape", [normal, shape])
    scale, shift = (_per_channel(converter, op, index, converter.rank(x)) for index in (1, 2))
    scaled = converter.emit(op, "Mul", [joined, scale])
    if last:
        made = converter.emit(op, "Add", [scaled, shift])
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "Add", [scaled, shift])


@converts("AffineChannel")
def _affine(converter: Converter, op: Operator) -> None:
    op.args.ignore("is_learnable")
    x = converter.value(op, 0)
    rank = converter.rank(x)
    if converter.channels_last(op):
        scale, shift = converter.value(op, 1), converter.value(op, 2)
    else:
        scale, shift = (_per_channel(converter, op, index, rank) for index in (1, 2))
    converter.finish(op, "Add", [converter.emit(op, "Mul", [x, scale]), shift])


def _per_channel(converter: Converter, op: Operator, index: int, rank: int) -> str:
    """[C] -> [C, 1, 1 ...], to meet the channels of NC..."""
    shape = converter.constant(op, [-1] + [1] * (rank - 2), np.int64)
    return converter.emit(op, "Reshape", [converter.value(op, index), shape])


@converts("LRN", note="the output with the scale is not made")
def _response(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    attributes: dict[str, Any] = {
        "size": op.args.integer("size"),
        "alpha": op.args.number("alpha"),
        "beta": op.args.number("beta"),
        "bias": op.args.number("bias", 1.0),
    }
    if attributes["size"] < 1:
        raise converter.bad(op, f"a local response normalisation over {attributes['size']} channels")
    if converter.channels_last(op):
        made = converter.emit(op, "LRN", [converter.to_first(op, x)], **attributes)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "LRN", [x], **attributes)


@converts("LayerNorm")
def _layer(converter: Converter, op: Operator) -> None:
    """Caffe2 adds epsilon to the variance and takes that root for the deviation it gives out."""
    x = converter.value(op, 0)
    rank = converter.rank(x)
    axis = converter.axis(op, x, op.args.integer("axis", 1))
    axes = converter.constant(op, list(range(axis, rank)), np.int64)
    mean = converter.emit(op, "ReduceMean", [x, axes], keepdims=1)
    centred = converter.emit(op, "Sub", [x, mean])
    square = converter.emit(op, "Mul", [centred, centred])
    variance = converter.emit(op, "ReduceMean", [square, axes], keepdims=1)
    epsilon = converter.constant(op, op.args.number("epsilon", _EPSILON), np.float32)
    deviation = converter.emit(op, "Sqrt", [converter.emit(op, "Add", [variance, epsilon])])
    converter.finish(op, "Div", [centred, deviation])
    flat = converter.constant(op, [0] * axis + [1], np.int64)
    for index, value in ((1, mean), (2, deviation)):
        if len(op.outputs) > index:
            converter.finish(op, "Reshape", [value, flat], index)


@converts("Normalize", "NormalizeL1")
def _unit(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    axes = converter.constant(op, [converter.axis(op, x, op.args.integer("axis", -1))], np.int64)
    if op.type == "Normalize":
        norm = converter.emit(op, "ReduceL2", [x, axes], keepdims=1)
        norm = converter.emit(op, "Max", [norm, converter.constant(op, 1e-12, np.float32)])
        converter.finish(op, "Div", [x, norm])
        return
    norm = converter.emit(op, "ReduceL1", [x, axes], keepdims=1)
    # what is all zero stays so
    zero = converter.emit(op, "Equal", [norm, converter.constant(op, 0, np.float32)])
    safe = converter.emit(op, "Where", [zero, converter.constant(op, 1, np.float32), norm])
    converter.finish(op, "Div", [x, safe])
