"""A .dat file: a tensor in NNEF's binary format (the specification's chapter 5.2), little-endian, after 128 bytes."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import blocks

_HEADER = 128
_FLOAT, _UINT, _QUINT, _QINT, _INT, _BOOL = range(6)
_KINDS = {_FLOAT: "f", _UINT: "u", _QUINT: "u", _QINT: "i", _INT: "i"}
_WIDTHS = {"f": (16, 32, 64), "u": (8, 16, 32, 64), "i": (8, 16, 32, 64)}
_VENDORS = 0x10000  # item types from here on are a vendor's own
QUANTISED = (_QUINT, _QINT)


def read_tensor(data: bytes, name: str) -> tuple[Any, bool]:
    """The array, and whether its integers are quantised numbers. Raises Refused, naming the file."""
    if len(data) < _HEADER or data[:2] != b"N\xef":
        raise Refused(f"{name} is not an NNEF tensor")
    if data[2:4] != b"\x01\x00":
        raise Refused(f"{name} is of version {data[2]}.{data[3]} of the format", "unsupported")
    length, rank, *rest = struct.unpack_from("<31I", data, 4)
    if rank > 8:
        raise Refused(f"{name} is declared to have {rank} dims: there are eight at most")
    shape, (bits, kind, signed) = rest[:rank], rest[8:11]
    count = math.prod(shape)
    if kind == blocks.Q4_0:
        if not length == blocks.size(count) == len(data) - _HEADER:
            raise Refused(f"{name} holds {len(data) - _HEADER} bytes for {shape} in blocks of 32")
        return blocks.numbers(data, _HEADER).reshape(shape), False
    if kind >= _VENDORS:
        raise Refused(f"{name} holds items of a vendor's own type {kind:#x}", "unsupported")
    if length != (count * bits + 7) // 8 or length != len(data) - _HEADER:
        raise Refused(
            f"{name} holds {len(data) - _HEADER} bytes; its header declares {length} for {shape} x {bits} bits"
        )
    if kind == _BOOL and bits == 1:
        array: Any = np.unpackbits(np.frombuffer(data, np.uint8, offset=_HEADER))[:count].astype(bool)
    elif kind == _BOOL and bits == 8:
        array = np.frombuffer(data, np.uint8, offset=_HEADER) != 0
    else:
        letter = "i" if kind == _UINT and signed else _KINDS.get(kind)  # the format's first version: a flag for signed
        if letter is None or bits not in _WIDTHS[letter]:
            what = f"{name} holds items of type {kind:#x} and {bits} bits"
            raise Refused(what, "unsupported")
        array = np.frombuffer(data, f"<{letter}{bits // 8}", offset=_HEADER)
    return array.reshape(shape), kind in QUANTISED
