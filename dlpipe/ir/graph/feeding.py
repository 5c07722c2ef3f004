"""Samples one after the other: memory does not depend on how many there are."""

import json
import math
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

    names: the inputs of the model. most: how many samples are given at most. Raises Refused where a sample that is
    given is not a number (NaN), and says which.
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
        held = min((shape[0] for shape in counts), default=0)
        self.count = held if most is None else min(held, most)
        if self.count == 0:
            raise Refused("there are no samples")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with ExitStack() as opened:
            archive = opened.enter_context(zipfile.ZipFile(self._file))
            streams = {name: opened.enter_context(archive.open(f"{name}.npy")) for name in self._names}
            rows = {name: _rows(stream, name) for name, stream in streams.items()}
            for number in range(self.count):
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


def _rows(stream: IO[bytes], name: str) -> Iterator[Any]:
    shape, fortran, dtype = _header(stream)
    if dtype.hasobject:
        raise Refused(f"the samples of {name!r} are objects, not numbers")
    size = math.prod(shape[1:]) * dtype.itemsize
    if fortran:  # samples are not contiguous: such an array can only be read whole
        yield from np.frombuffer(stream.read(size * shape[0]), dtype).reshape(shape, order="F")
        return
    for _ in range(shape[0]):
        data = stream.read(size)
        if len(data) != size:
            raise Refused(f"the samples of {name!r} end early")
        yield np.frombuffer(data, dtype).reshape(shape[1:])
