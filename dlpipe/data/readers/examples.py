"""tf.train.Example, the message in most TFRecord files. Worker side.

Source: example.proto and feature.proto of TensorFlow: Example{features=1}, Features{map<string, Feature>=1},
Feature{bytes_list=1, float_list=2, int64_list=3}, each with a repeated `value`=1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .protobuf import fields, signed, varint

Feature = list[bytes] | NDArray[Any]  # float32 [n] or int64 [n]


def parse(record: bytes, name: str) -> dict[str, Feature]:
    found: dict[str, Feature] = {}
    for number, features in fields(record, name):
        if number != 1 or not isinstance(features, memoryview):
            raise Refused(f"{name} is no tf.train.Example: it has a field {number}", kind="unsupported")
        for entry_number, entry in fields(features, name):
            if entry_number == 1 and isinstance(entry, memoryview):
                key, value = "", memoryview(b"")
                for part, content in fields(entry, name):
                    if part == 1 and isinstance(content, memoryview):
                        key = bytes(content).decode("utf-8", "replace")
                    elif part == 2 and isinstance(content, memoryview):
                        value = content
                found[key] = _feature(value, f"{name}, feature {key!r}")
    return found


def _feature(data: memoryview, name: str) -> Feature:
    for kind, content in fields(data, name):
        if not isinstance(content, memoryview):
            break
        if kind == 1:
            return [bytes(value) for number, value in fields(content, name) if isinstance(value, memoryview)]
        if kind == 2:
            return _floats(content, name)
        if kind == 3:
            return _integers(content, name)
    return []


def _floats(data: memoryview, name: str) -> NDArray[np.float32]:
    """Packed into one field, or one field each."""
    pieces = [bytes(value) for _, value in fields(data, name) if isinstance(value, memoryview)]
    joined = b"".join(pieces)
    if len(joined) % 4:
        raise Refused(f"{name} is damaged: {len(joined)} bytes of floats")
    return np.frombuffer(joined, "<f4").astype(np.float32)


def _integers(data: memoryview, name: str) -> NDArray[np.int64]:
    values: list[int] = []
    for _, value in fields(data, name):
        if isinstance(value, int):
            values.append(signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at, name)
            values.append(signed(number))
    return np.array(values, np.int64)
