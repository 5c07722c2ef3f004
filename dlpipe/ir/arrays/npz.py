"""The arrays of an .npz: read in pieces, so that memory does not grow with the number of samples, and written so that
the same arrays are the same bytes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    """One array [N, *sample] of an .npz. `begins`: the byte of the file at which its first number lies, None where it
    is compressed."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    begins: int | None

    def rows_per_chunk(self) -> int:
        return max(1, CHUNK_BYTES // max(1, self._row_bytes))

    def chunks(self, rows: int) -> Iterator[Array]:
        """Arrays [<= rows, *sample]. Raises Refused when the file ends early."""
        with self._opened() as stream:
            if self.fortran:
                whole = self._whole(stream)
                yield from (whole[start : start + rows] for start in range(0, self.shape[0], rows))
                return
            for start in range(0, self.shape[0], rows):
                yield self._read(stream, (min(rows, self.shape[0] - start), *self.shape[1:]))

    def rows(self, numbers: Iterable[int]) -> Iterator[Array]:
        """The samples of these numbers, which rise. Raises Refused when the file ends early."""
        with self._opened() as stream:
            if self.fortran:
                whole = self._whole(stream)
                yield from (whole[number] for number in numbers)
                return
            first = stream.tell()
            for number in numbers:
                stream.seek(first + number * self._row_bytes)
                yield self._read(stream, self.shape[1:])

    def mapped(self) -> Array:
        """All of it: of the file's own pages where it is stored as it is, so that they need no memory."""
        if self.begins is not None and not self.fortran and 0 not in self.shape:
            return np.memmap(self.file, self.dtype, "r", self.begins, self.shape)
        with self._opened() as stream:
            return self._whole(stream) if self.fortran else self._read(stream, self.shape)

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """At its first number. What is stored as it is, is read from the file itself, where going to a place far ahead
        costs nothing; zipfile would read all that lies before it."""
        if self.begins is not None:
            with self.file.open("rb") as file:
                file.seek(self.begins)
                yield file
            return
        with zipfile.ZipFile(self.file) as archive, archive.open(self.name + ".npy") as stream:
            _header(stream)
            yield stream

    def _whole(self, stream: IO[bytes]) -> Array:
        """In Fortran's order samples are not contiguous: such an array can only be read whole."""
        return self._read(stream, (math.prod(self.shape),)).reshape(self.shape, order="F")

    def _read(self, stream: IO[bytes], shape: tuple[int, ...]) -> Array:
        size = math.prod(shape) * self.dtype.itemsize
        data = stream.read(size)
        if len(data) != size:
            raise Refused(f"{self.file.name}: {self.name} ends early")
        return np.frombuffer(data, self.dtype).reshape(shape)


def members(file: Path) -> dict[str, Member]:
    """Name -> member. Raises Refused for a file that is not an .npz of plain arrays with a sample axis."""
    found = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                with archive.open(entry) as stream:
                    shape, fortran, dtype = _header(stream)
                    inside = stream.tell()
                if dtype.hasobject or not shape:
                    raise Refused(f"{file.name}: {name} is not an array of samples (shape {shape}, dtype {dtype})")
                stored = entry.compress_type == zipfile.ZIP_STORED
                begins = _begins(file, entry) + inside if stored else None
                found[name] = Member(file, name, shape, dtype, fortran, begins)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Refused(f"{file.name} is not an .npz file: {error}") from error
    return found


def read(file: Path) -> dict[str, Array]:
    """All arrays; never a pickle."""
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write(file: Path, arrays: Iterable[tuple[str, Any]]) -> None:
    """Like numpy.savez without its time stamps, with any name for an array, and for arrays that are made one after the
    other."""
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays:
            plain = array.astype(np.str_) if array.dtype == object else array
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as member:
                npy.write_array(member, np.ascontiguousarray(plain), allow_pickle=False)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _begins(file: Path, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of an entry begin: behind its local header, whose name and extra field have their own lengths."""
    with file.open("rb") as opened:
        opened.seek(entry.header_offset + 26)
        name, extra = (int.from_bytes(opened.read(2), "little") for _ in range(2))
    return entry.header_offset + 30 + name + extra
