"""Pictures: a folder with one sub-folder per class, a flat folder, one beside boxes in COCO's JSON or
a folder of masks, or one file. Worker side, in the toolchain `data`.

They are decoded where all have one size and 8 bits, for models that take pixels. The files are handed on beside that,
for models whose own preprocessing decodes and resizes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlpipe_worker import Refused

from . import pixels
from .coco import boxes_beside
from .dataset import Dataset
from .files import by_class, single
from .magic import PICTURES
from .masks import masked

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB\x60\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


def read(path: Path) -> Dataset:
    found = (
        _annotated(path, by_class(path, "image", PICTURES, check)) if path.is_dir() else single(path, "image", check)
    )
    x = pixels.array(found.count, lambda index: found.files[index], lambda index: found.items[index])
    if isinstance(x, str):
        return replace(found, notes=[f"{x}: none is decoded"])
    return replace(found, arrays={"x": x})


def _annotated(folder: Path, found: Dataset) -> Dataset:
    """With the boxes of a COCO file, or the masks of a folder beside them, in place of classes, and only the pictures
    that these speak of."""
    told = boxes_beside(folder, found.items)
    if told is None:
        return masked(folder, found) or found
    files, items = [found.files[number] for number in told.items], [found.items[number] for number in told.items]
    return replace(found, count=len(items), files=files, items=items, labels=told.labels)


def check(path: Path, name: str) -> None:
    """Raises Refused for a PNG or JPEG without its end, which decoders are known to fill up with grey. Cameras append
    to JPEGs, so their end may stand anywhere near the end of the file."""
    with path.open("rb") as file:
        begin = file.read(8)
        file.seek(-min(path.stat().st_size, 1 << 16), 2)
        end = file.read()
    mark = _PNG_END if begin == _PNG else _JPEG_END if begin.startswith(_JPEG) else b""
    if mark not in end:
        raise Refused(f"the picture {name} is incomplete")
