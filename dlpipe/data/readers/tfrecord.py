"""TFRecord files of tf.train.Examples: one sample a record. Worker side, in the toolchain `data`.

The format: length (8 bytes, little-endian), masked CRC-32C of these 8 bytes, the record, masked CRC-32C of it; from
TensorFlow's documentation "TFRecord and tf.train.Example".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from crc32c import crc32c
from dlpipe_worker import Refused
from numpy.typing import NDArray

from . import pixels
from .dataset import Dataset
from .examples import Feature, parse
from .labels import Labels, from_array, from_names
from .magic import masked
from .rows import from_rows
from .stream import Array

_LARGEST = 1 << 30  # bytes of one record
_MOST = 20_000_000
_CLASS = ("image/class/label", "label", "labels", "class", "target", "y")
_NAME = ("image/class/text", "label_name", "class_name")


def read(path: Path) -> Dataset:
    """Features that are numbers become an array each; the one with pictures is decoded into "x". The class is in
    image/class/label, label, class, target or y. What can be neither is left out, with a note."""
    places = _index(path)
    records = _Records(path, places)
    first = records.example(0)
    label = next((name for name in _CLASS if name in first), None)
    arrays, notes = dict[str, Array](), list[str]()
    for name in sorted(first):
        if name != label and name not in _NAME:
            made = _array(records, name, first[name])
            if isinstance(made, str):
                notes.append(f"{path.name}: the feature {name!r} was left out: {made}")
            else:
                pictures = made.dtype == np.uint8 and made.shape[-1:] in ((1,), (3,)) and len(made.shape) == 3
                arrays["x" if pictures and "x" not in first else name] = made
    if not arrays:
        raise Refused(f"{path.name} holds no feature that can be fed to a model", hint="; ".join(notes) or None)
    labels = _labels(records, label)
    kind = "image" if any(len(each.shape) == 3 for each in arrays.values()) else "tensor"
    return Dataset(kind=kind, count=len(places), arrays=arrays, labels=labels, notes=notes)


class _Records:
    """The examples of a file, parsed when they are asked for: several features of one, one parsing."""

    def __init__(self, path: Path, places: list[tuple[int, int]]) -> None:
        self.path, self.count, self._places = path, len(places), places
        self.example = lru_cache(maxsize=4)(self._example)

    def title(self, index: int) -> str:
        return f"{self.path.name}, record {index}"

    def feature(self, index: int, name: str) -> Feature:
        found = self.example(index).get(name)
        if found is None or len(found) == 0:
            raise Refused(f"{self.title(index)} has no feature {name!r}, and the first record has one")
        return found

    def _example(self, index: int) -> Mapping[str, Feature]:
        start, size = self._places[index]
        with self.path.open("rb") as file:
            file.seek(start)
            return parse(file.read(size), self.title(index))


def _index(path: Path) -> list[tuple[int, int]]:
    """(offset, size) of each record, all checksums verified."""
    places: list[tuple[int, int]] = []
    with path.open("rb") as file:
        while head := file.read(12):
            title = f"{path.name}, record {len(places)}"
            if len(head) < 12 or struct.unpack("<I", head[8:])[0] != _masked(head[:8]):
                raise Refused(f"{title} has a damaged length")
            size = struct.unpack("<Q", head[:8])[0]
            if size > _LARGEST or len(places) == _MOST:
                raise Refused(f"{title} claims {size:,} bytes: more than can be read")
            places.append((file.tell(), size))
            content, tail = file.read(size), file.read(4)
            if len(content) < size or len(tail) < 4:
                raise Refused(f"{path.name} ends within record {len(places) - 1}: it is incomplete")
            if struct.unpack("<I", tail)[0] != _masked(content):
                raise Refused(f"{title} is damaged: its checksum does not fit")
    if not places:
        raise Refused(f"{path.name} holds no records")
    return places


def _masked(data: bytes) -> int:
    return masked(crc32c(data))


def _array(records: _Records, name: str, first: Feature) -> Array | str:
    """The feature of all records, or why it is none to feed."""
    if not isinstance(first, list):
        return from_rows(records.count, lambda index: _numbers(records, index, name), records.title)
    if len(first) != 1 or not pixels.is_picture(first[0]):
        return "bytes of an unknown kind"
    return pixels.array(records.count, lambda index: _bytes(records, index, name), records.title)


def _numbers(records: _Records, index: int, name: str) -> NDArray[Any]:
    found = records.feature(index, name)
    if isinstance(found, list):
        raise Refused(f"{records.title(index)}: the feature {name!r} holds bytes, and numbers in the first record")
    return found


def _bytes(records: _Records, index: int, name: str) -> bytes:
    found = records.feature(index, name)
    if not isinstance(found, list):
        raise Refused(f"{records.title(index)}: the feature {name!r} holds numbers, and bytes in the first record")
    return found[0]


def _labels(records: _Records, name: str | None) -> Labels:
    if name is None:
        return Labels()
    values = [records.feature(index, name) for index in range(records.count)]
    if all(isinstance(value, list) for value in values):
        return from_names([value[0].decode("utf-8", "replace") for value in values if isinstance(value, list)])
    if any(isinstance(value, list) or len(value) != len(values[0]) for value in values):
        return Labels([None] * records.count, note=f"the labels in {name!r} differ in kind: accuracy is unknown")
    return from_array(np.stack([np.asarray(value) for value in values]))
