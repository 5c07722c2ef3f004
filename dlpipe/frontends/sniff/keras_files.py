"""Which Keras wrote a file, and on which backend: "2.2.5", or "2.2.5 on theano"."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .found import Found

HDF5 = b"\x89HDF\r\n\x1a\n"
_STRING, _VARIABLE = 3, 9  # classes of HDF5's data types
_MOST_OBJECTS = 4096  # of a heap that are looked through
_LONGEST = 64  # bytes of what is read here


def in_hdf5(path: Path) -> Found:
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        said = {name: _attribute(data, name) for name in ("keras_version", "backend")}
    return Found("keras/hdf5", "an HDF5 file, such as Keras writes", version=written_by(said))


def written_by(said: Mapping[str, Any]) -> str | None:
    """`said`: keras_version and backend, as far as they are known."""
    version, backend = said.get("keras_version"), said.get("backend")
    if backend == "theano":
        return f"{version or '?'} on theano"
    return version if isinstance(version, str) else None


def _attribute(data: mmap.mmap, name: str) -> str | None:
    """The text of the first attribute of this name: its message (HDF5 file format, IV.A.2.m, version 1) is looked for.

    A wrong guess harms nothing: the frontend reads the file with HDF5's own library.
    """
    for match in re.finditer(name.encode() + b"\0", data):
        start = match.start()
        try:
            version, _, *sizes = struct.unpack("<BBHHH", data[start - 8 : start])
            if version != 1 or sizes[0] != len(name) + 1:
                continue
            kind = start + _padded(sizes[0])
            value = kind + _padded(sizes[1]) + _padded(sizes[2])
            return _text(data, kind, value)
        except (struct.error, UnicodeDecodeError):
            continue
    return None


def _text(data: mmap.mmap, kind: int, value: int) -> str | None:
    if data[kind] & 15 == _STRING:
        (size,) = struct.unpack("<I", data[kind + 4 : kind + 8])
        return data[value : value + min(size, _LONGEST)].rstrip(b"\0").decode()
    if data[kind] & 15 != _VARIABLE:
        return None
    size, heap, wanted = struct.unpack("<IQI", data[value : value + 16])
    if data[heap : heap + 4] != b"GCOL":
        return None
    at = heap + 16
    for _ in range(_MOST_OBJECTS):
        index, _, length = struct.unpack("<HHxxxxQ", data[at : at + 16])
        if index == wanted:
            return data[at + 16 : at + 16 + min(size, length, _LONGEST)].decode()
        at += 16 + _padded(length)
    return None


def _padded(size: int) -> int:
    return (size + 7) // 8 * 8
