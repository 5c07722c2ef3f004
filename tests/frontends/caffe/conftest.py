"""Small Caffe nets: a prototxt as text, a caffemodel written byte by byte, and the whole way through the frontend."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import Sniffed
from dlpipe.frontends.caffe import CaffeFrontend
from tests.frontends.interpreted import Interpreted

Blobs = Mapping[str, Sequence[Any]]


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def blob(array: Any) -> bytes:
    """A BlobProto of today."""
    shape = field(7, field(1, b"".join(varint(dim) for dim in np.shape(array))))
    return shape + field(5, np.asarray(array, "<f4").tobytes())


def legacy_blob(array: Any) -> bytes:
    """Of the days of four axes: num, channels, height, width."""
    dims = [1] * (4 - np.ndim(array)) + list(np.shape(array))
    return b"".join(varint(index + 1 << 3) + varint(dim) for index, dim in enumerate(dims)) + field(
        5, np.asarray(array, "<f4").tobytes()
    )


def unpacked_blob(array: Any) -> bytes:
    """Every number a field of its own."""
    shape = field(7, field(1, b"".join(varint(dim) for dim in np.shape(array))))
    return shape + b"".join(b"\x2d" + struct.pack("<f", each) for each in np.ravel(array))


def caffemodel(blobs: Blobs, encode: Callable[[Any], bytes] = blob) -> bytes:
    layers = (
        field(1, name.encode()) + b"".join(field(7, encode(each)) for each in arrays) for name, arrays in blobs.items()
    )
    return b"".join(field(100, each) for each in layers)


class Caffe(Interpreted):
    frontend = CaffeFrontend()
    sniffed = Sniffed("caffe/prototxt", "caffe", "net.prototxt")

    def source(self, prototxt: str | bytes, weights: bytes | Blobs) -> Path:
        folder: Path = self.work.new_folder()
        (folder / self.entry).write_bytes(prototxt.encode() if isinstance(prototxt, str) else prototxt)
        data = weights if isinstance(weights, bytes) else caffemodel(weights or {"none": [np.zeros(1)]})
        (folder / "net.caffemodel").write_bytes(data)
        return folder


@pytest.fixture
def caffe(work: Any) -> Caffe:
    return Caffe(work)
