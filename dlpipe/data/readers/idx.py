"""IDX, the format of MNIST: images and labels in two files, packed with gzip or not. Worker side.

The format: two zero bytes, a byte for the type, a byte for the number of axes, their lengths as big-endian 32-bit
numbers, then the elements in C order, big-endian (LeCun's page of MNIST).
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from dlpipe_worker import Refused

from .dataset import Dataset
from .labels import Labels, from_array
from .stream import Array, Content, damage, raw_array

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read(path: Path) -> Dataset:
    """A file of images (the labels beside it are found), or a folder with one such pair."""
    candidates = sorted(path.iterdir()) if path.is_dir() else sorted(path.parent.iterdir())
    arrays = {file: _array(file) for file in candidates if is_idx(file)}
    images = [file for file, array in arrays.items() if array.shape and path in (file, file.parent)]
    if len(images) != 1:
        names = ", ".join(file.name for file in images) or "none"
        raise Refused(f"one IDX file with images is needed, and there are: {names}", hint="name the file with --data")
    x = arrays[images[0]]
    targets = [array for array in arrays.values() if not array.shape and array.count == x.count]
    labels = from_array(targets[0].whole()) if len(targets) == 1 else Labels()
    return Dataset(kind="tensor", count=x.count, arrays={"x": x}, labels=labels)


def is_idx(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with _open(path) as file:
            magic = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in _TYPES and 1 <= magic[3] <= 8


def _array(path: Path) -> Array:
    with damage(path.name), _open(path) as file:
        magic = file.read(4)
        lengths = file.read(4 * magic[3])
        if len(lengths) != 4 * magic[3]:
            raise Refused(f"{path.name} ends within its header")
    shape = struct.unpack(f">{magic[3]}I", lengths)
    return raw_array(_content(path), 4 + len(lengths), shape, np.dtype(_TYPES[magic[2]]))


def _content(path: Path) -> Content:
    return Content(path.name, partial(_open, path), None if _is_packed(path) else path.stat().st_size)


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _open(path: Path) -> IO[bytes]:
    return io.BufferedReader(gzip.GzipFile(path)) if _is_packed(path) else path.open("rb")
