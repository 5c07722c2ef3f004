"""PNG and JPEG pictures: a folder with one sub-folder per class, a flat folder, or one file. Worker side.

They are handed on as they are; decoding is part of the model's preprocessing.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe_worker import Refused

from .dataset import Dataset
from .files import by_class, single

SUFFIXES = (".png", ".jpg", ".jpeg")
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB\x60\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


def read(path: Path) -> Dataset:
    return by_class(path, "image", SUFFIXES, check) if path.is_dir() else single(path, "image", check)


def check(path: Path, name: str) -> None:
    """Raises Refused unless the file begins and ends like a picture. Cameras append to JPEGs, so their end may stand
    anywhere near the end of the file."""
    with path.open("rb") as file:
        begin = file.read(8)
        file.seek(-min(path.stat().st_size, 1 << 16), 2)
        end = file.read()
    if not (begin == _PNG or begin.startswith(_JPEG)):
        raise Refused(f"the picture {name} is neither PNG nor JPEG")
    if (_PNG_END if begin == _PNG else _JPEG_END) not in end:
        raise Refused(f"the picture {name} is incomplete")
