"""Operators that make a value from nothing: the weights of an initialisation net."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx.numpy_helper
from dlpipe_worker import Refused

from ..kit.protobuf import numbers
from .converter import Converter
from .nets import Operator
from .table import converts

MAX_FILLED = 1 << 28  # elements that a few bytes in a file may blow up to
_GIVEN = {
    "GivenTensorFill": np.float32,
    "GivenTensorDoubleFill": np.float64,
    "GivenTensorIntFill": np.int32,
    "GivenTensorInt64Fill": np.int64,
    "GivenTensorBoolFill": np.bool_,
    "GivenTensorInt16Fill": np.int16,
    "GivenTensorFp16Fill": np.float16,
}
# caffe2.proto, TensorProto.DataType
DATA_TYPES = {
    1: np.float32,
    2: np.int32,
    3: np.uint8,
    5: np.bool_,
    6: np.uint8,
    7: np.int8,
    8: np.uint16,
    9: np.int16,
    10: np.int64,
    12: np.float16,
    13: np.float64,
}
_TYPE_NAMES = {
    "FLOAT": 1, "INT32": 2, "BYTE": 3, "BOOL": 5, "UINT8": 6, "INT8": 7, "UINT16": 8, "INT16": 9, "INT64": 10,
    "FLOAT16": 12, "DOUBLE": 13,
}  # fmt: skip


def data_type(converter: Converter, op: Operator, argument: str, default: int) -> Any:
    """The numpy type that an argument names, by number or by name."""
    raw = op.args.raw(argument)
    number = default
    if raw is not None:
        number = _TYPE_NAMES.get(bytes(raw.s).decode("utf-8", "replace").upper(), 0) if raw.HasField("s") else raw.i
    if number not in DATA_TYPES:
        raise converter.unsupported(op, f"the data type {number}")
    return DATA_TYPES[number]


def given_values(op: Operator) -> Any:
    """What a GivenTensor*Fill fills in. Raises Refused where values and shape do not fit."""
    dtype = _GIVEN[op.type]
    values = op.args.raw("values")
    array: Any
    if values is None:
        array = np.zeros(0, dtype)
    elif values.floats:
        array = numbers(values, "floats", np.float32)
    else:
        array = np.fromiter(values.ints, np.int64, len(values.ints))
    return shaped(op, array, dtype)


def shaped(op: Operator, array: Any, dtype: Any) -> Any:
    shape = op.args.integers("shape")
    if not shape and "shape" not in op.args:
        shape = [array.size]
    if any(dim < 0 for dim in shape) or math.prod(shape) != array.size:
        raise Refused(f"{array.size:,} values do not fill the shape {'x'.join(map(str, shape))}", **op.where)
    return array.astype(dtype, copy=False).reshape(shape)


@converts(*_GIVEN)
def _given(converter: Converter, op: Operator) -> None:
    if op.inputs:
        raise converter.unsupported(op, "a fill whose shape is computed")
    if op.held is None:
        op.held = given_values(op)
    converter.hold(op, op.held)


@converts("GivenTensorByteStringToUInt8Fill")
def _given_bytes(converter: Converter, op: Operator) -> None:
    values = op.args.raw("values")
    data = b"" if values is None else b"".join(bytes(each) for each in values.strings)
    converter.hold(op, shaped(op, np.frombuffer(data, np.uint8), np.uint8))


@converts("ConstantFill", note="a shape that is computed while running only as ONNX's ConstantOfShape")
def _constant(converter: Converter, op: Operator) -> None:
    dtype = data_type(converter, op, "dtype", 1)
    raw = op.args.raw("value")
    value = 0.0 if raw is None else (raw.f if raw.HasField("f") else raw.i)
    shape = op.args.integers("shape")
    if op.inputs:
        _constant_like(converter, op, dtype, value, shape)
        return
    op.args.ignore("input_as_shape", "extra_shape")
    shape = shape or ([] if "shape" in op.args else [1])
    if any(dim < 0 for dim in shape) or math.prod(shape) > MAX_FILLED:
        raise converter.bad(op, f"a fill of the shape {'x'.join(map(str, shape))}")
    converter.hold(op, np.full(shape, value, dtype))


def _constant_like(converter: Converter, op: Operator, dtype: Any, value: float, shape: list[int]) -> None:
    if shape:
        raise converter.bad(op, "a fill with both an input and a shape")
    source = converter.value(op, 0)
    if op.args.integer("input_as_shape"):
        wanted = converter.emit(op, "Cast", [source], to=7)
    else:
        wanted = converter.emit(op, "Shape", [source])
    extra = op.args.integers("extra_shape")
    if extra:
        wanted = converter.emit(op, "Concat", [wanted, converter.constant(op, extra, np.int64)], axis=0)
    filling = onnx.numpy_helper.from_array(np.array([value], dtype))
    converter.finish(op, "ConstantOfShape", [wanted], value=filling)


@converts("XavierFill", "MSRAFill", "GaussianFill", "UniformFill", "UniformIntFill", note="refused: random numbers")
def _random(converter: Converter, op: Operator) -> None:
    raise converter.unsupported(
        op, f"the weights {op.outputs[0]!r} are drawn at random here: this is the net before its training"
    )
