"""FlatBuffers (internals.md of the public documentation) without generated code: tables, vectors, strings.

Every offset and length is checked against the bytes that are there, and a file pays for what it makes us read: offsets
may point at the same bytes again and again, so both tables and bytes come out of a budget that follows its size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from dlpipe_worker import Refused

_FORMATS = {
    "bool": "<?",
    "int8": "<b",
    "uint8": "<B",
    "int32": "<i",
    "uint32": "<I",
    "int64": "<q",
    "uint64": "<Q",
    "float32": "<f",
}
_TABLES_AT_LEAST = 1000
_REREAD = 4  # how many times over a file may be read: real writers share little


def damaged(reason: str) -> Refused:
    return Refused(f"the file is damaged or cut off: {reason}", hint="is the download or copy complete?")


class File:
    """The bytes, and what may still be read of them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._tables = max(_TABLES_AT_LEAST, len(data) // 4)
        self._bytes = _REREAD * len(data) + (1 << 20)

    def root(self) -> Table:
        return Table(self, self.number("uint32", 0))

    def number(self, kind: str, at: int) -> Any:
        form = _FORMATS[kind]
        self.check(at, struct.calcsize(form))
        return struct.unpack_from(form, self.data, at)[0]

    def check(self, at: int, size: int) -> None:
        if at < 0 or size < 0 or at + size > len(self.data):
            raise damaged(f"something of {size:,} bytes is said to be at byte {at:,}, and it has {len(self.data):,}")

    def spend(self, tables: int = 0, size: int = 0) -> None:
        self._tables -= tables
        self._bytes -= size
        if self._tables < 0 or self._bytes < 0:
            raise damaged("its parts refer to the same bytes over and over")


class Table:
    """One table. A field that is absent has its default."""

    def __init__(self, file: File, at: int) -> None:
        file.spend(tables=1)
        self._file = file
        self.at = at
        self._vtable = at - file.number("int32", at)
        file.check(self._vtable, 4)
        size = struct.unpack_from("<H", file.data, self._vtable)[0]
        file.check(self._vtable, size)
        self.slots = max(0, (size - 4) // 2)

    def place(self, slot: int) -> int | None:
        """The byte at which a field is, or None where it is absent."""
        if slot >= self.slots:
            return None
        offset = struct.unpack_from("<H", self._file.data, self._vtable + 4 + 2 * slot)[0]
        return self.at + offset if offset else None

    def number(self, slot: int, kind: str, default: Any = 0) -> Any:
        at = self.place(slot)
        return default if at is None else self._file.number(kind, at)

    def table(self, slot: int) -> Table | None:
        at = self._reference(slot)
        return None if at is None else Table(self._file, at)

    def tables(self, slot: int) -> Iterator[Table]:
        at, count = self._vector(slot, 4)
        for index in range(count):
            place = at + 4 * index
            yield Table(self._file, place + self._file.number("uint32", place))

    def views(self, slot: int) -> Iterator[memoryview]:
        """A vector of strings, as bytes."""
        at, count = self._vector(slot, 4)
        for index in range(count):
            place = at + 4 * index
            start = place + self._file.number("uint32", place)
            size = self._file.number("uint32", start)
            self._file.check(start + 4, size)
            self._file.spend(tables=1, size=min(size, 4096))
            yield memoryview(self._file.data)[start + 4 : start + 4 + size]

    def text(self, slot: int) -> str:
        return bytes(self.view(slot)).decode("utf-8", errors="replace")

    def array(self, slot: int, kind: str) -> np.ndarray[Any, Any]:
        """A vector of numbers; absent: empty."""
        dtype = np.dtype(kind).newbyteorder("<")
        at, count = self._vector(slot, dtype.itemsize)
        self._file.spend(size=count * dtype.itemsize)
        return np.frombuffer(self._file.data, dtype, count, at).astype(kind) if count else np.empty(0, kind)

    def view(self, slot: int) -> memoryview:
        """A vector of bytes, not copied; absent: empty."""
        at, count = self._vector(slot, 1)
        self._file.spend(size=min(count, 4096))
        return memoryview(self._file.data)[at : at + count]

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        at = self._reference(slot)
        if at is None:
            return 0, 0
        count = self._file.number("uint32", at)
        self._file.check(at + 4, count * size)
        return at + 4, count

    def _reference(self, slot: int) -> int | None:
        at = self.place(slot)
        return None if at is None else at + int(self._file.number("uint32", at))
