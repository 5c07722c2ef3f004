"""Read the arrays of an .npz in pieces, so that memory does not grow with the number of samples. Worker side."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from dlpipe_worker import Refused
from numpy.lib import format as npy
from numpy.typing import NDArray

Array = NDArray[Any]
CHUNK_BYTES = 8 << 20


@dataclass(frozen=True)
class Member:
    """One array of an .npz file: its header, and its rows (samples) in order."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    def rows_per_chunk(self) -> int:
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        return max(1, CHUNK_BYTES // max(1, row))

    def chunks(self, rows: int) -> Iterator[Array]:
        """Arrays [<= rows, *shape[1:]]. Raises Refused when the file ends early."""
        with zipfile.ZipFile(self.file) as archive, archive.open(self.name + ".npy") as stream:
            _header(stream)
            if self.fortran:  # columns are not contiguous: such an array can only be read whole
                whole = np.frombuffer(_exactly(stream, math.prod(self.shape) * self.dtype.itemsize, self), self.dtype)
                array = whole.reshape(self.shape, order="F")
                yield from (array[start : start + rows] for start in range(0, self.shape[0], rows))
                return
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                data = _exactly(stream, math.prod(shape) * self.dtype.itemsize, self)
                yield np.frombuffer(data, self.dtype).reshape(shape)


def members(file: Path) -> dict[str, Member]:
    """Name -> member. Raises Refused for a file that is not an .npz of plain arrays with a sample axis."""
    found = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.namelist():
                name = entry.removesuffix(".npy")
                with archive.open(entry) as stream:
                    shape, fortran, dtype = _header(stream)
                if dtype.hasobject or not shape:
                    raise Refused(f"{file.name}: {name} is not an array of samples (shape {shape}, dtype {dtype})")
                found[name] = Member(file, name, shape, dtype, fortran)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Refused(f"{file.name} is not an .npz file: {error}") from error
    return found


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _exactly(stream: IO[bytes], size: int, member: Member) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise Refused(f"{member.file.name}: {member.name} ends early")
    return data
