"""Which reader a data set needs. The content decides, not the suffix. Worker side."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from dlpipe_worker import Refused

from . import arrays, idx, magic, table, wav
from .dataset import Dataset

Reader = Callable[[Path], Dataset]

_MODULES = {"images": "images", "tfrecord": "tfrecord", "recordio": "recordio", "lmdb": "datum", "parquet": "parquet"}


def reader_for(path: Path) -> Reader:
    """Raises Refused where none fits."""
    reader = _heavy(path) or (_of_folder(path) if path.is_dir() else _of_file(path))
    if reader is None:
        raise Refused(
            f"{path.name} is no data set that dlpipe reads",
            kind="unsupported",
            hint="a WAV folder or an image folder (one folder per class), .npz, .npy, IDX, CSV, TFRecord, RecordIO, "
            "LMDB or Parquet",
        )
    return reader


def _heavy(path: Path) -> Reader | None:
    """One that needs the packages of its toolchain, which only then are imported."""
    kind = magic.heavy_kind(path)
    if kind is None:
        return None
    reader: Reader = import_module(f".{_MODULES[kind]}", __package__).read
    single = magic.only_file(path) if path.is_dir() and kind not in ("images", "lmdb") else None
    return reader if single is None else lambda _: reader(single)


def _of_folder(folder: Path) -> Reader | None:
    if any(path.suffix.lower() == ".wav" and path.is_file() for path in folder.rglob("*")):
        return wav.read
    if any(idx.is_idx(file) for file in folder.iterdir()):
        return idx.read
    single = magic.only_file(folder)
    if single is not None and (reader := _of_file(single)) is not None:
        return lambda _: reader(single)
    return None


def _of_file(path: Path) -> Reader | None:
    with path.open("rb") as file:
        begin = file.read(12)
    if begin.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        return arrays.read
    if begin.startswith(b"RIFF") and begin[8:] == b"WAVE":
        return wav.read
    if idx.is_idx(path):
        return idx.read
    return table.read if path.suffix.lower() in (".csv", ".tsv") else None
