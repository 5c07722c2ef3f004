"""Files of named arrays as `mx.nd.save` writes them (*.params), of all versions: no framework, no pickle.

Layout, little endian: u64 0x112, u64 0, u64 count, arrays, u64 count, names (u64 length, bytes). An array begins with
a u32: 0xF993FAC9 and 0xF993FACA (then i32 storage type, i32 ndim, i64 dims), 0xF993FAC8 (i32 ndim, i64 dims), or, in
files before 0.11, the number of dims itself (then u32 dims). Behind it i32 device, i32 device number, i32 type, data.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from dlpipe_worker import Refused

LIST = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA  # V3: shapes as in numpy, where () is a scalar and not "unknown"
MAX_RANK = 32
_TYPES: dict[int, Any] = {
    0: np.float32,
    1: np.float64,
    2: np.float16,
    3: np.uint8,
    4: np.int32,
    5: np.int8,
    6: np.int64,
    7: np.bool_,
    8: np.int16,
    9: np.uint16,
    10: np.uint32,
    11: np.uint64,
    12: ml_dtypes.bfloat16,
}
_ZIP = b"PK\x03\x04"


def read(path: Path) -> dict[str, Any]:
    """Name (with `arg:` or `aux:` where the file has it) -> array, a view of the file. Raises Refused."""
    if path.stat().st_size == 0:
        raise Refused(f"{path.name} is empty", hint="is the download or copy complete?")
    cursor = _Cursor(np.memmap(path, np.uint8, "r"), path.name)
    magic = cursor.take("Q")
    if struct.pack("<Q", magic)[:4] == _ZIP:
        raise Refused(f"{path.name} is a zip archive, as MXNet 2 saves parameters: it is not supported", "unsupported")
    if magic != LIST:
        raise Refused(f"{path.name} is no file of MXNet parameters", hint="is the download or copy complete?")
    cursor.take("Q")
    arrays = [_array(cursor) for _ in range(cursor.count(8))]
    names = [cursor.name() for _ in range(cursor.count(8))]
    if len(names) != len(arrays):
        raise Refused(f"{path.name} has {len(arrays)} arrays and {len(names)} names: it is a list, no model's weights")
    if len(set(names)) != len(names):
        raise Refused(f"{path.name} has two arrays of one name")
    return dict(zip(names, arrays, strict=True))


class _Cursor:
    """A place in the file. Every size is held against the bytes that are left."""

    def __init__(self, data: Any, name: str) -> None:
        self.data, self.at, self.file = data, 0, name

    def take(self, form: str) -> int:
        size = struct.calcsize("<" + form)
        return int(struct.unpack("<" + form, self.bytes(size).tobytes())[0])

    def bytes(self, size: int) -> Any:
        if size > len(self.data) - self.at:
            raise Refused(
                f"{self.file} is damaged or cut off at byte {self.at:,} of {len(self.data):,}",
                hint="is the download or copy complete?",
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def count(self, least: int) -> int:
        """A number of things of at least so many bytes each."""
        found = self.take("Q")
        if found * least > len(self.data) - self.at:
            raise Refused(f"{self.file} is damaged: it claims {found:,} entries at byte {self.at:,}")
        return found

    def name(self) -> str:
        try:
            return bytes(self.bytes(self.take("Q"))).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(f"{self.file} is damaged: a name is no text") from error


def _array(cursor: _Cursor) -> Any:
    magic = cursor.take("I")
    if magic in (V2, V3):
        storage = cursor.take("i")
        if storage in (1, 2):
            raise Refused(f"{cursor.file} holds sparse arrays: they are not supported", "unsupported")
        if storage != 0:
            raise Refused(f"{cursor.file} is damaged: storage type {storage}")
    shape = _shape(cursor, magic)
    if not shape and magic != V3:
        return np.zeros((0,), np.float32)  # "none": nothing more is written
    cursor.take("q")  # where it lay
    flag = cursor.take("i")
    if flag not in _TYPES:
        raise Refused(f"{cursor.file} is damaged: an array has type {flag}")
    dtype = np.dtype(_TYPES[flag])
    return cursor.bytes(math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)


def _shape(cursor: _Cursor, magic: int) -> tuple[int, ...]:
    modern = magic in (V1, V2, V3)
    rank = cursor.take("i") if modern else magic
    if not 0 <= rank <= MAX_RANK:
        raise Refused(f"{cursor.file} is damaged: an array with {rank} dims at byte {cursor.at:,}")
    shape = tuple(cursor.take("q" if modern else "I") for _ in range(rank))
    if min(shape, default=0) < 0:
        raise Refused(f"{cursor.file} is damaged: an array of shape {shape}")
    return shape
