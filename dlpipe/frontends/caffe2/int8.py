"""Caffe2's 8-bit operators as ONNX with QuantizeLinear and DequantizeLinear.

Every 8-bit value of the net (uint8, one scale and one zero point) becomes a pair of these nodes behind the operator in
floats, so the result departs from Caffe2's integer arithmetic by its rounding: at most one step of the scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .converter import Converter
from .convolution import convolve, deconvolve
from .fills import shaped
from .matrices import connect, softmax
from .nets import Operator
from .pooling import pool
from .resizing import resize
from .shaping import shuffle
from .table import OPERATORS, converts


def _scale(converter: Converter, op: Operator) -> tuple[float, int]:
    scale, zero = op.args.number("Y_scale", 1.0), op.args.integer("Y_zero_point", 0)
    if not 0 < scale < float("inf"):
        raise converter.bad(op, f"a scale of {scale}")
    return scale, zero


def _requantise(converter: Converter, op: Operator, like: int | None = None) -> None:
    """The operator's output, so far in floats, goes through 8 bits: of its own scale, or of that input's.

    The output has to be the value that was finished last; it is renamed, and the dequantised one takes its name.
    """
    name = op.outputs[0]
    if like is None:
        scale, zero = _scale(converter, op)
    else:
        op.args.ignore("Y_scale", "Y_zero_point")
        scale, zero = _of_input(converter, op, like)
    if not 0 <= zero <= 255:
        raise converter.bad(op, f"a zero point of {zero}")
    floats = converter.values[name]
    kind = [converter.constant(op, scale, np.float32), converter.constant(op, zero, np.uint8)]
    codes = converter.emit(op, "QuantizeLinear", [floats, *kind])
    converter.values[name] = converter.graph.node(
        "DequantizeLinear", [codes, *kind], f"{name}/dequantised", converter.label(op)
    )
    converter.quantised[name] = (scale, zero)


def _of_input(converter: Converter, op: Operator, index: int) -> tuple[float, int]:
    found = converter.quantised.get(op.inputs[index])
    if found is None:
        raise converter.bad(op, f"its input {op.inputs[index]!r} is not an 8-bit value")
    return found


@converts("Int8GivenTensorFill")
def _given(converter: Converter, op: Operator) -> None:
    values = op.args.raw("values")
    array = shaped(op, np.frombuffer(b"" if values is None else bytes(values.s), np.uint8), np.uint8)
    _store(converter, op, array)


@converts("Int8GivenIntTensorFill")
def _given_ints(converter: Converter, op: Operator) -> None:
    values = op.args.raw("values")
    held = () if values is None else values.ints
    _store(converter, op, shaped(op, np.fromiter(held, np.int32, len(held)), np.int32))


def _store(converter: Converter, op: Operator, array: Any) -> None:
    scale, zero = _scale(converter, op)
    name = op.outputs[0]
    converter.quantised[name] = (scale, zero)
    converter.values[name] = _dequantised(converter, op, array, scale, zero)


def _dequantised(converter: Converter, op: Operator, array: Any, scale: float, zero: int) -> str:
    codes = converter.graph.constant(array, f"{op.outputs[0]}/codes")
    kind = [converter.constant(op, scale, np.float32), converter.constant(op, zero, array.dtype)]
    return converter.emit(op, "DequantizeLinear", [codes, *kind])


@converts("Int8Quantize")
def _quantise(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Identity", [converter.value(op, 0)])
    _requantise(converter, op)


@converts("Int8Dequantize")
def _dequantise(converter: Converter, op: Operator) -> None:
    _of_input(converter, op, 0)
    converter.finish(op, "Identity", [converter.value(op, 0)])


def _relu(converter: Converter, op: Operator) -> None:
    """A rectifier that is part of the operator, before its result goes to 8 bits."""
    if op.type.endswith("Relu"):
        name = op.outputs[0]
        converter.values[name] = converter.emit(op, "Relu", [converter.values[name]])


@converts("Int8Conv", "Int8ConvRelu")
def _conv(converter: Converter, op: Operator) -> None:
    bias = [converter.value(op, 2)] if len(op.inputs) > 2 else []
    convolve(converter, op, converter.value(op, 0), converter.value(op, 1), bias)
    _relu(converter, op)
    _requantise(converter, op)


@converts("Int8ConvTranspose")
def _conv_transpose(converter: Converter, op: Operator) -> None:
    bias = [converter.value(op, 2)] if len(op.inputs) > 2 else []
    deconvolve(converter, op, converter.value(op, 0), converter.value(op, 1), bias)
    _requantise(converter, op)


@converts("Int8FC")
def _fc(converter: Converter, op: Operator) -> None:
    connect(converter, op, converter.value(op, 0), converter.value(op, 1), converter.value(op, 2))
    _requantise(converter, op)


@converts("Int8Relu")
def _only_relu(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Relu", [converter.value(op, 0)])
    _requantise(converter, op, like=0)


@converts("Int8LeakyRelu")
def _leaky(converter: Converter, op: Operator) -> None:
    converter.finish(op, "LeakyRelu", [converter.value(op, 0)], alpha=op.args.number("alpha", 0.01))
    _requantise(converter, op)


@converts("Int8Sigmoid", "Int8Softmax")
def _squash(converter: Converter, op: Operator) -> None:
    if op.type == "Int8Sigmoid":
        converter.finish(op, "Sigmoid", [converter.value(op, 0)])
    else:
        softmax(converter, op, converter.value(op, 0))
    _requantise(converter, op)


@converts("Int8MaxPool", "Int8MaxPoolRelu", "Int8AveragePool", "Int8AveragePoolRelu")
def _pool(converter: Converter, op: Operator) -> None:
    pool(converter, op, converter.value(op, 0), "Max" if "Max" in op.type else "Average")
    _relu(converter, op)
    _requantise(converter, op)


@converts("Int8Add", "Int8AddRelu", "Int8Sum", "Int8SumRelu")
def _add(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Sum", [converter.value(op, index) for index in range(len(op.inputs))])
    _relu(converter, op)
    _requantise(converter, op)


@converts("Int8Concat")
def _concat(converter: Converter, op: Operator) -> None:
    values = [converter.value(op, index) for index in range(len(op.inputs))]
    axis = op.args.integer("axis") if "axis" in op.args else converter.rank(values[0]) - 1
    op.args.integer("add_axis")
    converter.finish(op, "Concat", values, axis=converter.axis(op, values[0], axis))
    _requantise(converter, op)


@converts("Int8ChannelShuffle", "Int8ResizeNearest", "Int8Flatten", "Int8Reshape", "Int8Slice")
def _moved(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if op.type == "Int8ChannelShuffle":
        shuffle(converter, op, x)
    elif op.type == "Int8ResizeNearest":
        resize(converter, op, x)
    else:
        OPERATORS[op.type.removeprefix("Int8")].convert(converter, op)
    _requantise(converter, op, like=0)
