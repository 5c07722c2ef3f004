"""The options of custom operators: FlexBuffers (public internals document), a map of numbers.

A buffer is read from its end: the root's width, its type, the root itself. Offsets point backwards. The low two bits of
a type are the width (1, 2, 4 or 8 bytes) of what it points at.
"""

from __future__ import annotations

import struct

from ..kit.flatbuffer import damaged

_INT, _UINT, _FLOAT, _INDIRECT, _MAP, _BOOL = 1, 2, 3, {6: 1, 7: 2, 8: 3}, 9, 26
_FORMATS = {_INT: "bhiq", _UINT: "BHIQ", _FLOAT: " efd", _BOOL: "BHIQ"}
_MAX_ENTRIES = 1000


def numbers(data: bytes) -> dict[str, float]:
    """Key -> number. Entries that are no numbers are left out. Raises Refused for what is no map."""
    if len(data) < 3:
        raise damaged("the options of a custom operator are cut off")
    width, kind = data[-1], data[-2]
    if width not in (1, 2, 4, 8) or kind >> 2 != _MAP:
        raise damaged("the options of a custom operator are no map")
    size = 1 << (kind & 3)
    at = _back(data, len(data) - 2 - width, width)
    count = _number(data, at - size, size, _UINT)
    if count > _MAX_ENTRIES:
        raise damaged("the options of a custom operator are too many")
    keys, key_width = _back(data, at - 3 * size, size), int(_number(data, at - 2 * size, size, _UINT))
    if key_width not in (1, 2, 4, 8):
        raise damaged("the options of a custom operator have no keys")
    found: dict[str, float] = {}
    for index in range(int(count)):
        start = _back(data, keys + index * key_width, key_width)
        end = data.find(b"\0", start)
        kind = int(_number(data, at + int(count) * size + index, 1, _UINT))
        place, width = at + index * size, size
        if kind >> 2 in _INDIRECT:
            place, width = _back(data, place, size), 1 << (kind & 3)
        form = _INDIRECT.get(kind >> 2, kind >> 2)
        if end >= 0 and form in _FORMATS:
            found[data[start:end].decode("utf-8", errors="replace")] = _number(data, place, width, form)
    return found


def _number(data: bytes, at: int, width: int, form: int) -> float:
    letter = _FORMATS[form][width.bit_length() - 1]
    if at < 0 or at + width > len(data) or letter == " ":
        raise damaged("the options of a custom operator are cut off")
    return float(struct.unpack_from("<" + letter, data, at)[0])


def _back(data: bytes, at: int, width: int) -> int:
    target = at - int(_number(data, at, width, _UINT))
    if target < 0:
        raise damaged("the options of a custom operator point outside of them")
    return target
