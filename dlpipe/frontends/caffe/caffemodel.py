"""Weights: the blobs of a .caffemodel by layer name, of all three generations of the format.

Only names and blobs are read; how a layer computes stands in the prototxt, which is what Caffe itself goes by. Field
numbers: the public caffe.proto, and NVIDIA's fork for raw data in half precision.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit import wire

_V1_LAYERS, _LAYERS = 2, 100  # of a net
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}  # of NVIDIA's raw_data

Blobs = list[Any]  # float32 arrays


def read_weights(path: Path) -> dict[str, Blobs]:
    """Layer name -> its blobs, as views of the file where that can be. Raises Refused for a damaged file."""
    found: dict[str, Blobs] = {}
    try:
        for number, kind, value in wire.fields(memoryview(path.read_bytes())):
            if number in (_V1_LAYERS, _LAYERS) and kind == wire.BYTES:
                name, blobs = _layer(value, number)
                if blobs or name not in found:
                    found[name] = blobs
    except wire.Malformed as error:
        raise Refused(
            f"{path.name} is not a caffemodel, or is damaged or cut off: {error}",
            hint="is the download or copy complete?",
        ) from None
    if not found:
        raise Refused(f"{path.name} holds no layers, so it is not a caffemodel")
    return found


def _layer(view: Any, generation: int) -> tuple[str, Blobs]:
    name_field, blobs_field = (1, 7) if generation == _LAYERS else (4, 6)
    name, blobs = "", []
    for number, kind, value in wire.fields(view):
        if kind != wire.BYTES:
            continue
        if number == name_field:
            name = wire.text(value) or ""
        elif number == blobs_field:
            blobs.append(_blob(value))
        elif number == 1:  # a layer of the first generation (V0) inside one of the second
            name, blobs = _oldest(value)
    return name, blobs


def _oldest(view: Any) -> tuple[str, Blobs]:
    name, blobs = "", []
    for number, kind, value in wire.fields(view):
        if kind == wire.BYTES and number == 1:
            name = wire.text(value) or ""
        elif kind == wire.BYTES and number == 50:
            blobs.append(_blob(value))
    return name, blobs


def _blob(view: Any) -> Any:
    legacy: dict[int, int] = {}
    shape: list[int] | None = None
    parts: dict[int, list[Any]] = {5: [], 8: [], 12: []}
    raw_type = 1
    for number, kind, value in wire.fields(view):
        if number in (1, 2, 3, 4) and isinstance(value, int):
            legacy[number] = value
        elif number == 7 and kind == wire.BYTES:
            shape = _shape(value)
        elif number == 10 and isinstance(value, int):
            raw_type = value
        elif number in parts and kind in (wire.BYTES, wire.FIXED32, wire.FIXED64):
            parts[number].append(value)  # packed, or a number each
    array = _numbers(parts, raw_type)
    if shape is None:
        shape = [legacy.get(number, 1) for number in (1, 2, 3, 4)] if legacy else [array.size]
    if math.prod(shape) != array.size:
        raise Refused(f"a blob of the caffemodel claims the shape {shape} and holds {array.size:,} numbers")
    return array.reshape(shape)


def _numbers(parts: dict[int, list[Any]], raw_type: int) -> Any:
    for number, dtype in ((5, "<f4"), (8, "<f8"), (12, _RAW_TYPES.get(raw_type))):
        if not parts[number]:
            continue
        if dtype is None:
            raise Refused(f"a blob of the caffemodel has raw data of the type {raw_type}", kind="unsupported")
        data = parts[number][0] if len(parts[number]) == 1 else b"".join(parts[number])
        if len(data) % np.dtype(dtype).itemsize:
            raise Refused("a blob of the caffemodel ends within a number")
        return np.frombuffer(data, dtype).astype(np.float32, copy=False)
    return np.zeros(0, np.float32)


def _shape(view: Any) -> list[int]:
    dims: list[int] = []
    for number, kind, value in wire.fields(view):
        if number != 1:
            continue
        if isinstance(value, int):
            dims.append(value)
        elif kind == wire.BYTES:
            at = 0
            while at < len(value):
                dim, at = wire.varint(value, at)
                dims.append(dim)
    if len(dims) > 32:
        raise Refused("a blob of the caffemodel has more than 32 axes")
    return dims
