"""Encoded pictures to pixels, with Pillow. Worker side, in a toolchain that has it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .rows import from_rows
from .stream import Array

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"RIFF")
_MOST_PIXELS = 100_000_000
_GREY = ("1", "L", "LA")
_DEEP = "has greys of more than 8 bits"  # Pillow makes white of most of them, other loaders divide by 256


@dataclass(frozen=True)
class Header:
    size: tuple[int, int]  # width, height
    grey: bool
    deep: bool  # more than 8 bits a pixel


def is_picture(data: bytes) -> bool:
    return data.startswith(_MAGIC)


def header(source: bytes | Path, name: str) -> Header:
    """Without decoding. Raises Refused for what is no picture, or one of too many pixels."""
    with _opened(source, name) as picture:
        return Header(picture.size, picture.mode in _GREY, _is_deep(picture))


def decode(source: bytes | Path, name: str, *, grey: bool) -> NDArray[np.uint8]:
    """[height, width, 1 or 3] of 0 to 255. Transparency is dropped, and the orientation of the camera is not applied,
    as in the loaders of the training frameworks."""
    with _opened(source, name) as picture:
        if _is_deep(picture):
            hint = "save it with 8 bits, as the model's training made them of it"
            raise Refused(f"the picture {name} {_DEEP}", kind="unsupported", hint=hint)
        try:
            pixels = np.asarray(picture.convert("L" if grey else "RGB"), dtype=np.uint8)
        except (OSError, ValueError, SyntaxError, MemoryError, EOFError) as error:
            raise Refused(f"the picture {name} is damaged: {error}") from error
    return pixels.reshape(*pixels.shape[:2], -1)


def indices(source: bytes | Path, name: str) -> NDArray[Any]:
    """[height, width] of the numbers that a mask holds: of its palette, or its greys. Raises Refused for colours."""
    with _opened(source, name) as picture:
        if picture.mode not in ("1", "L", "P", "I;16", "I"):
            raise Refused(f"the mask {name} holds colours ({picture.mode}), and one number for each pixel is needed")
        try:
            found = np.asarray(picture)
        except (OSError, ValueError, SyntaxError, MemoryError, EOFError) as error:
            raise Refused(f"the mask {name} is damaged: {error}") from error
    return found.astype(np.uint8 if found.dtype == np.bool_ else found.dtype)


def array(count: int, source: Callable[[int], bytes | Path], title: Callable[[int], str]) -> Array | str:
    """All pictures as uint8 [N, height, width, channels]: one channel when all are grey. Where their sizes differ, or
    one has more than 8 bits, a text that says so."""
    headers = [header(source(index), title(index)) for index in range(count)]
    if deep := [index for index, each in enumerate(headers) if each.deep]:
        return f"the picture {title(deep[0])} {_DEEP}"
    sizes: dict[tuple[int, int], int] = {}
    for index, each in enumerate(headers):
        sizes.setdefault(each.size, index)
    if len(sizes) > 1:
        shown = ", ".join(f"{title(index)} {width} x {height}" for (width, height), index in list(sizes.items())[:2])
        return f"the pictures have {len(sizes)} sizes ({shown})"
    grey = all(each.grey for each in headers)
    return from_rows(count, lambda index: decode(source(index), title(index), grey=grey), title)


def _is_deep(picture: Any) -> bool:
    return str(picture.mode).startswith(("I", "F"))


def _opened(source: bytes | Path, name: str) -> Any:
    """Pillow's picture, of which only the header has been read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own lower limit of pixels; ours follows
            picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Refused(f"{name} is damaged, or no picture that is read here ({', '.join(FORMATS)})") from error
    if picture.width * picture.height > _MOST_PIXELS:
        raise Refused(f"the picture {name} has {picture.width} x {picture.height} pixels: more than can be read")
    return picture
