"""The protocol buffers wire format, read without a schema: for records that hold small messages. Worker side.

Source: the public encoding documentation of protocol buffers. Every length is checked against the bytes there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from dlpipe_worker import Refused

_MAX_VARINT = 10  # bytes


def fields(data: bytes | memoryview, name: str) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of one message: an int for numbers, a view for bytes and for fixed-size numbers."""
    view, at = memoryview(data), 0
    while at < len(view):
        key, at = varint(view, at, name)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(view, at, name)
            yield number, value
            continue
        if wire == 2:
            size, at = varint(view, at, name)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise Refused(f"{name} is damaged: a field has the wire type {wire}")
        if size > len(view) - at:
            raise Refused(f"{name} is damaged: a field claims {size:,} bytes and {len(view) - at:,} are left")
        yield number, view[at : at + size]
        at += size


def varint(view: memoryview, at: int, name: str) -> tuple[int, int]:
    """(value, where the next field begins)."""
    value = 0
    for index in range(_MAX_VARINT):
        if at + index >= len(view):
            raise Refused(f"{name} is damaged: a number is cut off")
        byte = view[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise Refused(f"{name} is damaged: a number is longer than ten bytes")


def signed(value: int) -> int:
    """An int32 or int64 as it was meant."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
