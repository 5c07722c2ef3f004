"""Arrays in pieces: read from .npy, .npz and IDX files without holding them in memory, and written as .npz.

A file that says how large it is must be just that large; nothing is unpacked beyond what its header declares.
Pickled arrays (objects) are refused: loading them would run code. Worker side.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from dlpipe_worker import Refused
from numpy.lib import format as npy
from numpy.typing import NDArray

_CHUNK = 8 << 20  # bytes
_LARGEST = 64 << 30  # bytes that one array may declare
_LARGEST_ROW = 1 << 30  # and one sample of it, since that is held in memory
_MOST = 20_000_000  # samples, since there is a label and a name for each


@dataclass(frozen=True)
class Content:
    """Bytes that can be read from their beginning as often as needed. `size` is None where only reading tells."""

    name: str
    open: Callable[[], IO[bytes]]
    size: int | None


@dataclass(frozen=True)
class Array:
    """`count` rows of `shape`. `read` yields them in order, in chunks [n, *shape]; `pick`, where there is one, only
    those with the given numbers (rising)."""

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Iterator[NDArray[Any]]]
    pick: Callable[[Sequence[int]], Iterator[NDArray[Any]]] | None = None

    def whole(self) -> NDArray[Any]:
        """[count, *shape]"""
        chunks = list(self.read())
        return np.concatenate(chunks) if chunks else np.empty((0, *self.shape), self.dtype)


def npy_array(content: Content) -> Array:
    """The array of a .npy file. Raises Refused when it is not one, holds objects, or is another length than said."""
    name = content.name
    with damage(name), content.open() as stream:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise Refused(f"{name}: version {version} of the .npy format is for records, not for arrays")
        shape, fortran, dtype = _header(name, stream, version)
        start = stream.tell()
    if dtype.hasobject:
        hint = "save it with a numeric dtype: numpy.save(..., allow_pickle=False)"
        raise Refused(f"{name} holds pickled objects, which are never loaded", hint=hint)
    if dtype.kind not in "biufUS":
        raise Refused(f"{name} holds {dtype}, not numbers")
    if not shape:
        raise Refused(f"{name} is a single number, not an array of samples")
    return raw_array(content, start, shape, dtype, fortran=fortran)


def raw_array(
    content: Content, start: int, shape: Sequence[int], dtype: np.dtype[Any], *, fortran: bool = False
) -> Array:
    """The array whose bytes begin at `start` and end with the content."""
    name = content.name
    size = math.prod(shape) * dtype.itemsize
    row_size = math.prod(shape[1:]) * dtype.itemsize
    if size > _LARGEST or row_size > _LARGEST_ROW or shape[0] > _MOST or any(dim < 0 for dim in shape):
        raise Refused(f"{name} says that it has the shape {list(shape)}: more than can be read")
    if content.size is not None and content.size != start + size:
        wrong = "ends early" if content.size < start + size else "is longer than its header says"
        raise Refused(f"{name} {wrong}: it is damaged or incomplete")
    count, row = shape[0], tuple(shape[1:])

    def read() -> Iterator[NDArray[Any]]:
        with damage(name), content.open() as stream:
            _exactly(stream, start, name)
            if fortran:  # a row is not contiguous: there is no reading it in pieces
                whole = np.frombuffer(_exactly(stream, size, name), dtype).reshape(shape, order="F")
                yield np.ascontiguousarray(whole)
            else:
                step = max(1, _CHUNK // max(1, row_size))
                for begin in range(0, count, step):
                    rows = min(step, count - begin)
                    data = _exactly(stream, rows * row_size, name)
                    yield np.frombuffer(data, dtype).reshape(rows, *row)
            if stream.read(1):
                raise Refused(f"{name} is longer than its header says: it is damaged or incomplete")

    return Array(count, row, dtype, read)


def write_npz(path: Path, arrays: Mapping[str, Array], chosen: Sequence[int]) -> None:
    """Write the chosen rows (rising indices) of every array. The same rows give the same bytes."""
    wanted = np.asarray(chosen, dtype=np.int64)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in sorted(arrays.items()):
            native = array.dtype.newbyteorder("=")
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as out:
                header = {"descr": npy.dtype_to_descr(native), "fortran_order": False}
                npy.write_array_header_1_0(out, {**header, "shape": (len(chosen), *array.shape)})
                for chunk in array.pick(chosen) if array.pick else _rows(array, wanted):
                    out.write(chunk.astype(native, copy=False).tobytes())


def _rows(array: Array, wanted: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    begin = 0
    for chunk in array.read():
        low, high = np.searchsorted(wanted, [begin, begin + len(chunk)])
        yield chunk[wanted[low:high] - begin]
        begin += len(chunk)


@contextmanager
def damage(name: str) -> Iterator[None]:
    """Whatever a damaged file makes the readers raise says which file it was."""
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Refused(f"{name} is damaged, or not what its name says: {error}") from error


def _header(name: str, stream: IO[bytes], version: tuple[int, int]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(stream)
    except Exception as error:
        raise Refused(f"{name} has a damaged header: {error}") from error
    return shape, fortran, dtype


def _exactly(stream: IO[bytes], size: int, name: str) -> bytes:
    """`size` bytes. A file may promise far more than it has, so memory is taken as the data comes."""
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(_CHUNK, size - len(data)))
        if not piece:
            raise Refused(f"{name} ends early: it is damaged or incomplete")
        data += piece
    return bytes(data)
