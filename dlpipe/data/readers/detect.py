"""Which reader a data set needs. The content decides, not the suffix. Worker side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dlpipe_worker import Refused

from . import arrays, idx, images, table, wav
from .dataset import Dataset

Reader = Callable[[Path], Dataset]


def reader_for(path: Path) -> Reader:
    """Raises Refused where none fits."""
    reader = _of_folder(path) if path.is_dir() else _of_file(path)
    if reader is None:
        raise Refused(
            f"{path.name} is no data set that dlpipe reads",
            kind="unsupported",
            hint="a WAV folder or an image folder (one folder per class), .npz, .npy, IDX or CSV",
        )
    return reader


def _of_folder(folder: Path) -> Reader | None:
    suffixes = [path.suffix.lower() for path in folder.rglob("*") if path.is_file()]
    counts = {wav.read: suffixes.count(".wav"), images.read: sum(suffixes.count(each) for each in images.SUFFIXES)}
    best = max(counts, key=lambda reader: counts[reader])
    if counts[best]:
        return best
    if any(idx.is_idx(file) for file in folder.iterdir()):
        return idx.read
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if len(files) == 1 and (reader := _of_file(files[0])) is not None:
        return lambda _: reader(files[0])
    return None


def _of_file(path: Path) -> Reader | None:
    with path.open("rb") as file:
        begin = file.read(12)
    if begin.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        return arrays.read
    if begin.startswith(b"RIFF") and begin[8:] == b"WAVE":
        return wav.read
    if begin.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        return images.read
    if idx.is_idx(path):
        return idx.read
    return table.read if path.suffix.lower() in (".csv", ".tsv") else None
