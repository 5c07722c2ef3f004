"""LMDB data bases of Caffe Datums. Worker side, in the toolchain `data`.

Source: caffe.proto: Datum{channels=1, height=2, width=3, data=4 (bytes [C, H, W]), label=5, float_data=6, encoded=7}.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from . import pixels
from .dataset import Dataset
from .labels import Labels, from_array
from .lmdb import Base
from .protobuf import fields, signed
from .rows import from_rows

FILE = "data.mdb"


@dataclass
class _Datum:
    shape: list[int] = field(default_factory=lambda: [0, 0, 0])
    data: bytes = b""
    label: int | None = None
    floats: bytes = b""
    encoded: bool = False


def read(path: Path) -> Dataset:
    """Samples in the order of their keys: uint8 or float32 [N, C, H, W], as Caffe feeds them; encoded pictures are
    decoded to [N, H, W, C]."""
    file = path / FILE if path.is_dir() else path
    base = Base(file)
    count = len(base.entries)
    if not count:
        raise Refused(f"{file.name} holds no entries")

    def title(index: int) -> str:
        return f"{file.name}, entry {base.entries[index][0].decode('ascii', 'replace')!r}"

    def datum(index: int) -> _Datum:
        return _parse(base.value(index), title(index))

    x = (
        pixels.array(count, lambda index: datum(index).data, title)
        if datum(0).encoded
        else from_rows(count, lambda index: _pixels(datum(index), title(index)), title)
    )
    if isinstance(x, str):
        raise Refused(
            f"{file.name}: {x}", kind="unsupported", hint="make them one size (convert_imageset --resize_height)"
        )
    labels = [datum(index).label for index in range(count)]
    known = from_array(np.array(labels)) if None not in labels else Labels()
    return Dataset(
        kind="image" if len(x.shape) == 3 and datum(0).encoded else "tensor",
        count=count,
        arrays={"x": x},
        labels=known,
    )


def _parse(entry: bytes, name: str) -> _Datum:
    found, floats = _Datum(), list[bytes]()
    for number, value in fields(entry, name):
        if number in (1, 2, 3) and isinstance(value, int):
            found.shape[number - 1] = value
        elif number == 4 and isinstance(value, memoryview):
            found.data = bytes(value)
        elif number == 5 and isinstance(value, int):
            found.label = signed(value)
        elif number == 6 and isinstance(value, memoryview):
            floats.append(bytes(value))
        elif number == 7 and isinstance(value, int):
            found.encoded = bool(value)
        else:
            raise Refused(f"{name} is no Datum of Caffe: it has a field {number}", kind="unsupported")
    found.floats = b"".join(floats)
    return found


def _pixels(datum: _Datum, name: str) -> NDArray[Any]:
    size = datum.shape[0] * datum.shape[1] * datum.shape[2]
    if size and len(datum.data) == size:
        return np.frombuffer(datum.data, np.uint8).reshape(datum.shape)
    if size and len(datum.floats) == 4 * size:
        return np.frombuffer(datum.floats, "<f4").astype(np.float32).reshape(datum.shape)
    raise Refused(f"{name}: {datum.shape} is not the size of what it holds ({len(datum.data or datum.floats):,} bytes)")
