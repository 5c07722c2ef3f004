"""The protocol buffers wire format (encoding.md of the public documentation), read without a schema.

Every length is checked against the bytes that are there; nothing is copied and nothing recurses, so that a hostile file
costs linear time and no memory.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_VARINT = 10  # bytes


class Malformed(Exception):
    """`offset`: the byte at which the message stops being one. `cut`: number and beginning of the field that would go
    on behind the message's end."""

    def __init__(self, reason: str, offset: int, cut: tuple[int, memoryview] | None = None) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset
        self.cut = cut


def fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(field number, wire type, value) of one message: an int, or a view for bytes. Raises Malformed."""
    at, end = 0, len(data)
    while at < end:
        start = at
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Malformed("a field has the number 0", start)
        if wire == VARINT:
            value, at = varint(data, at)
            yield number, wire, value
            continue
        size, at = _size(data, at, wire, start)
        if size > end - at:
            reason = f"a field claims {size:,} bytes and {end - at:,} are left"
            raise Malformed(reason, start, (number, data[at:]))
        yield number, wire, data[at : at + size]
        at += size


def _size(data: memoryview, at: int, wire: int, start: int) -> tuple[int, int]:
    if wire == BYTES:
        return varint(data, at)
    if wire == FIXED64:
        return 8, at
    if wire == FIXED32:
        return 4, at
    raise Malformed(f"a field has the wire type {wire}", start)


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """(value, offset behind it)."""
    value = 0
    for index in range(_MAX_VARINT):
        if at + index >= len(data):
            raise Malformed("a number is cut off", at)
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise Malformed("a number is longer than ten bytes", at)


def text(view: int | memoryview, limit: int = 1024) -> str | None:
    """The view as printable text, or None where it is none (or absurdly long for a name)."""
    if not isinstance(view, memoryview) or len(view) > limit:
        return None
    try:
        found = bytes(view).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return found if found.isprintable() else None
