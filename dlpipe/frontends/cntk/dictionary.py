"""A CNTK dictionary as Python values: dict, list, int, float, bool, str, Shape, Axis, numpy array."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.protobuf import numbers, read_binary
from .schema import Dictionary

INFERRED, FREE = -1, -3  # NDShape::InferredDimension and FreeDimension, as signed numbers
_DYNAMIC = 0x7FFFFFFD  # static indices from here on are the special axes of CNTK
_MAX_DEPTH = 50


@dataclass(frozen=True)
class Shape:
    """`dims`: as CNTK stores them, the fastest axis first."""

    dims: tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """`index`: of a static axis, in CNTK's order (negative: from the end); None for a dynamic or special one."""

    index: int | None
    name: str


def read_model(path: Path) -> dict[str, Any]:
    """Raises Refused for a file that is not one whole dictionary."""
    message = read_binary(path, Dictionary, "a CNTK version 2 model")
    try:
        return _dictionary(message, 0)
    except RecursionError as error:
        raise Refused(f"{path.name} is nested too deeply") from error


def _dictionary(message: Any, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise Refused("the model is nested too deeply to be one of CNTK's")
    found = {}
    for entry in message.data:
        if isinstance(entry.key, bytes):
            raise Refused("the model is damaged: a name in it is not text")
        found[entry.key] = _value(entry.value, depth)
    return found


def _value(message: Any, depth: int) -> Any:
    kind = message.value_type
    if kind in _SCALARS:
        value = getattr(message, _SCALARS[kind])
        if isinstance(value, bytes):
            raise Refused("the model is damaged: a text in it is none")
        return value
    if kind == 3:
        return _signed(message.size_t_value)
    if kind == 7:
        return Shape(tuple(_signed(dim) for dim in message.nd_shape_value.shape_dim))
    if kind == 8:
        return _axis(message.axis_value)
    if kind == 9:
        return [_value(each, depth + 1) for each in message.vector_value.value]
    if kind == 10:
        return _dictionary(message.dictionary_value, depth + 1)
    if kind == 11:
        return _array(message.nd_array_view_value)
    if kind == 0:
        return None
    raise Refused(f"the model holds a value of the kind {kind}", "unsupported")


_SCALARS = {1: "bool_value", 2: "int_value", 4: "float_value", 5: "double_value", 6: "string_value"}


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _axis(message: Any) -> Axis:
    index = message.static_axis_idx
    if isinstance(message.name, bytes):
        raise Refused("the model is damaged: a name in it is not text")
    return Axis(None if index >= _DYNAMIC else index, message.name)


def _array(message: Any) -> Any:
    """In numpy's order: the dims reversed, since CNTK's fastest axis is its first."""
    if message.storage_format != 0:
        raise Refused("the model holds sparse weights", "unsupported")
    dims = [_signed(dim) for dim in message.shape.shape_dim]
    held: Any
    dtype: Any
    if message.HasField("float_values"):
        held, dtype = numbers(message.float_values, "value", np.float32), np.float32
    elif message.HasField("double_values"):
        held, dtype = numbers(message.double_values, "value", np.float64), np.float64
    elif message.HasField("sint32_values"):
        held, dtype = message.sint32_values.value, np.float16
    elif message.HasField("bytes_value") and not message.bytes_value.value:
        held, dtype = (), np.float32
    else:
        raise Refused(f"the model holds weights of the data type {message.data_type}", "unsupported")
    if any(dim < 0 for dim in dims) or math.prod(dims) != len(held):
        raise Refused(f"{len(held):,} weights do not fill the shape {'x'.join(map(str, dims))}")
    if dtype is np.float16:  # the bits of each, as an integer
        bits = np.fromiter(held, np.int64, len(held)).astype(np.uint16)
        return bits.view(np.float16).reshape(dims[::-1])
    return np.asarray(held, dtype).reshape(dims[::-1])
