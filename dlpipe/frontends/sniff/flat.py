"""Flatbuffers without an identifier: told by their root table (layout: FlatBuffers' own page of internals)."""

from __future__ import annotations

import struct

from .found import Found

_MOST_FIELDS = 64
_MOST_OPERATORS = 1 << 17
MNN_1 = "1"
_OLD_INT8 = range(513, 519)  # ConvInt8 to EltwiseInt8: what the quantiser of MNN 1 wrote, and MNN 3 no longer runs


def by_table(data: memoryview) -> Found | None:
    root = _Table.root(data)
    if root is None:
        return None
    if root.is_mnn():
        return Found("mnn/model", "an MNN model", version=MNN_1 if root.has_old_int8() else None)
    if root.is_jax():
        return Found("jax/export", "an exported JAX function")
    return None


def may_begin(head: bytes, size: int) -> bool:
    """Whether the root table of a buffer of `size` bytes lies in it."""
    return len(head) >= 16 and 4 <= struct.unpack_from("<I", head)[0] <= size - 4


class _Table:
    """`fields`: offsets of the fields from the table's start, 0 for one that is not there."""

    def __init__(self, data: memoryview, at: int, fields: tuple[int, ...]) -> None:
        self.data, self.at, self.fields = data, at, fields

    @classmethod
    def root(cls, data: memoryview) -> _Table | None:
        if len(data) < 16:
            return None
        (at,) = struct.unpack_from("<I", data, 0)
        if at + 4 > len(data) or at < 4:
            return None
        (back,) = struct.unpack_from("<i", data, at)
        table = at - back
        if not 0 <= table <= len(data) - 4:
            return None
        size, inline = struct.unpack_from("<HH", data, table)
        count = (size - 4) // 2
        if size < 4 or size % 2 or count > _MOST_FIELDS or table + size > len(data) or at + inline > len(data):
            return None
        fields = struct.unpack_from(f"<{count}H", data, table + 4)
        if any(offset >= max(inline, 1) for offset in fields):
            return None
        return cls(data, at, fields)

    def is_mnn(self) -> bool:
        """Net: its operators are field 3 and the names of its tensors field 7, which are two vectors; see MNN.fbs."""
        operators, names = self._vector(3), self._vector(7)
        return bool(operators) and bool(names) and all(self._string(each) is not None for each in (names or [])[:8])

    def has_old_int8(self) -> bool:
        """Whether an operator of an MNN file (its type is field 5) is of that kind."""
        start = self._target(self.at + self.fields[3])
        if start is None:
            return False
        (count,) = struct.unpack_from("<I", self.data, start)
        for index in range(min(count, (len(self.data) - start - 4) // 4, _MOST_OPERATORS)):
            at = self._target(start + 4 + 4 * index)
            table = at - struct.unpack_from("<i", self.data, at)[0] if at is not None else -1
            if at is None or not 0 <= table <= len(self.data) - 16:
                continue
            size, offset = struct.unpack_from("<H12xH", self.data, table)
            if size >= 16 and offset and at + offset + 4 <= len(self.data):
                (kind,) = struct.unpack_from("<i", self.data, at + offset)
                if kind in _OLD_INT8:
                    return True
        return False

    def is_jax(self) -> bool:
        """Exported: version (u16) and the function's name come first; see jax's serialization.fbs."""
        if len(self.fields) < 8 or not self.fields[1]:
            return False
        target = self._target(self.at + self.fields[1])
        name = self._string(target) if target is not None else None
        return bool(name) and len(self._vector(6) or self._vector(5) or ()) >= 0

    def _vector(self, field: int) -> list[int] | None:
        """Where the elements of a vector of offsets point to (at most the first eight)."""
        if field >= len(self.fields) or not self.fields[field]:
            return None
        start = self._target(self.at + self.fields[field])
        if start is None:
            return None
        (count,) = struct.unpack_from("<I", self.data, start)
        if count > (len(self.data) - start - 4) // 4:
            return None
        found = [self._target(start + 4 + 4 * index) for index in range(min(count, 8))]
        return [each for each in found if each is not None] if None not in found else None

    def _target(self, at: int) -> int | None:
        if at + 4 > len(self.data):
            return None
        target = at + struct.unpack_from("<I", self.data, at)[0]
        return target if target + 4 <= len(self.data) else None

    def _string(self, at: int) -> str | None:
        (size,) = struct.unpack_from("<I", self.data, at)
        if size > min(1024, len(self.data) - at - 4):
            return None
        try:
            return bytes(self.data[at + 4 : at + 4 + size]).decode("utf-8")
        except UnicodeDecodeError:
            return None
