"""Samples one after the other: memory does not depend on how many there are."""

import json
import math
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from dlpipe_worker import Refused
from numpy.lib import format as npy


class Samples:
    """A `samples.npz`: per input an array [N, *shape], of which sample i is what is fed. Iterable as often as wanted.

    names: the inputs of the model. most: how many samples are given at most, spread over all of them: data are often
    sorted by class, and the first few would be of one. Raises Refused where a sample that is given is not a number
    (NaN), and says which.
    """

    def __init__(self, file: Path, names: Iterable[str], most: int | None = None) -> None:
        self._file = file
        self._names = list(names)
        try:
            with zipfile.ZipFile(file) as archive:
                stored = {entry.removesuffix(".npy") for entry in archive.namelist()}
                if missing := sorted(set(self._names) - stored):
                    raise Refused(f"the samples hold {sorted(stored)}, and the model wants {missing} too")
                with ExitStack() as opened:
                    counts = [_header(opened.enter_context(archive.open(f"{name}.npy")))[0] for name in self._names]
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise Refused(f"{file.name} is not an .npz file: {error}") from error
        if not all(counts):
            raise Refused(f"{file.name} holds an array without a sample axis")
        self._held = min((shape[0] for shape in counts), default=0)
        self.count = self._held if most is None else min(self._held, most)
        if self.count == 0:
            raise Refused("there are no samples")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.some(range(self.count))

    def some(self, places: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Of those that are given, the ones at these places, which rise."""
        numbers = [place * self._held // self.count for place in places]
        with ExitStack() as opened:
            archive = opened.enter_context(zipfile.ZipFile(self._file))
            streams = {name: opened.enter_context(_stream(archive, f"{name}.npy")) for name in self._names}
            rows = {name: _rows(stream, name, numbers) for name, stream in streams.items()}
            for number in numbers:
                yield {name: self._checked(next(each), name, number) for name, each in rows.items()}

    def _checked(self, sample: Any, name: str, number: int) -> Any:
        """Infinities are not looked for: masks of attention have them."""
        if sample.dtype.kind == "f" and np.isnan(np.min(sample, initial=np.inf)):
            raise Refused(
                f"{_item(self._file, number)} is not a number (NaN) in {name!r}",
                hint="leave it out of the data, or mend it",
            )
        return sample


def _item(file: Path, number: int) -> str:
    """What the user calls that sample."""
    labels = file.with_name("labels.json")
    items = json.loads(labels.read_text(encoding="utf-8")).get("items") if labels.is_file() else None
    return str(items[number]) if items and number < len(items) else f"sample {number}"


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)


def _stream(archive: zipfile.ZipFile, entry: str) -> IO[bytes]:
    """The bytes of an entry. What is stored without compression is read from the file itself, where going to a place
    far ahead costs nothing; zipfile would read all that lies before it."""
    info = archive.getinfo(entry)
    if info.compress_type != zipfile.ZIP_STORED or archive.filename is None:
        return archive.open(info)
    file = Path(archive.filename).open("rb")  # noqa: SIM115 - who asked for it closes it
    file.seek(info.header_offset + 26)  # the local header has its own lengths of name and extra field
    lengths = file.read(4)
    file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), os.SEEK_CUR)
    return file


def _rows(stream: IO[bytes], name: str, numbers: Iterable[int]) -> Iterator[Any]:
    """The samples of these numbers, which rise."""
    shape, fortran, dtype = _header(stream)
    if dtype.hasobject:
        raise Refused(f"the samples of {name!r} are objects, not numbers")
    size, first = math.prod(shape[1:]) * dtype.itemsize, stream.tell()
    if fortran:  # samples are not contiguous: such an array can only be read whole
        whole = np.frombuffer(stream.read(size * shape[0]), dtype).reshape(shape, order="F")
        yield from (whole[number] for number in numbers)
        return
    for number in numbers:
        stream.seek(first + number * size)
        data = stream.read(size)
        if len(data) != size:
            raise Refused(f"the samples of {name!r} end early")
        yield np.frombuffer(data, dtype).reshape(shape[1:])
