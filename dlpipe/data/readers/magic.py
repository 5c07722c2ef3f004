"""Kinds of data sets that need more than NumPy, told by names and first bytes. Imported by the host too: it looks at no
more than that, to choose the toolchain."""

from __future__ import annotations

import struct
from pathlib import Path

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
_PICTURE = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_RECORDIO = b"\x0a\x23\xd7\xce"
_PARQUET = b"PAR1"
_LMDB = b"\xde\xc0\xef\xbe"  # in the first page, behind its header
_LMDB_AT = 16
TOOLCHAINS = {"images": "data", "tfrecord": "data", "recordio": "data", "lmdb": "data", "parquet": "parquet"}


def heavy_kind(path: Path) -> str | None:
    """A key of TOOLCHAINS, or None for everything else."""
    if not path.is_dir():
        return _of_file(path)
    if (path / "data.mdb").is_file():
        return "lmdb"
    names = [each.suffix.lower() for each in path.rglob("*") if each.is_file()]
    pictures = sum(name in PICTURES for name in names)
    if pictures:
        return "images" if pictures > names.count(".wav") else None
    return _of_file(single) if (single := only_file(path)) else None


def only_file(folder: Path) -> Path | None:
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return files[0] if len(files) == 1 else None


def _of_file(path: Path) -> str | None:
    with path.open("rb") as file:
        begin = file.read(20)
    if begin.startswith(_PICTURE) or (begin[:4] == b"RIFF" and begin[8:12] == b"WEBP"):
        return "images"
    if begin.startswith(b"BM") and path.suffix.lower() == ".bmp":
        return "images"
    if begin.startswith(_RECORDIO):
        return "recordio"
    if begin.startswith(_PARQUET):
        return "parquet"
    if begin[_LMDB_AT:] == _LMDB:
        return "lmdb"
    return "tfrecord" if is_tfrecord(begin[:12]) else None


def is_tfrecord(begin: bytes) -> bool:
    """A length, and its checksum."""
    return len(begin) == 12 and struct.unpack("<I", begin[8:])[0] == masked(_crc32c(begin[:8]))


def masked(crc: int) -> int:
    """As TFRecord stores a CRC-32C."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc32c(data: bytes) -> int:
    """Bit by bit: for a few bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
