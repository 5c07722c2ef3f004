"""The labelled data as arrays: kind -> function(folder of the files, its parameters) -> (samples, labels)."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Labelled = tuple[Any, Sequence[Any]]


def mnist(folder: Path, *, scale: float, limit: int) -> Labelled:
    """IDX: the first `limit` images times `scale`."""
    images, labels = (gzip.decompress(next(folder.glob(f"*{part}*")).read_bytes()) for part in ("images", "labels"))
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)[:limit]
    return pixels * np.float32(scale), np.frombuffer(labels, np.uint8, offset=8)[:limit].tolist()


def cifar(folder: Path, *, layout: str, mean: Sequence[float], deviation: Sequence[float]) -> Labelled:
    """A .tar.gz of pictures in a folder per class: RGB, (x - mean) / deviation."""
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        files = sorted((member for member in archive if member.isfile()), key=lambda member: member.name)
        pixels = np.stack([np.asarray(_picture(archive.extractfile(member).read())) for member in files])
    names = [member.name.split("/")[-2] for member in files]
    classes = sorted(set(names))
    scaled = (pixels - np.float32(mean)) / np.float32(deviation)
    return scaled.transpose(0, 3, 1, 2) if layout == "NCHW" else scaled, [classes.index(name) for name in names]


def photos(folder: Path, *, size: Sequence[int], first: Sequence[str], mean: float, deviation: float) -> Labelled:
    """Windows of photographs, without labels: those of the files `first` come first, so that they can be told apart."""
    width, height = size
    files = sorted(folder.iterdir(), key=lambda file: (file.name not in first, file.name))
    windows = [window for file in files for window in _windows(_picture(file.read_bytes()), width / height)]
    pixels = np.stack([np.asarray(window.resize((width, height), Image.Resampling.BILINEAR)) for window in windows])
    return ((pixels - np.float32(mean)) / np.float32(deviation)).transpose(0, 3, 1, 2), [None] * len(pixels)


def _windows(picture: Any, aspect: float) -> Iterator[Any]:
    """Of the given aspect: the largest, and smaller ones that overlap by half; each of them mirrored too."""
    largest = min(picture.width, picture.height * aspect)
    for width in (largest, largest / 1.5, largest / 2.25):
        height = width / aspect
        for left in np.linspace(0, picture.width - width, max(1, round(2 * picture.width / width) - 1)):
            for top in np.linspace(0, picture.height - height, max(1, round(2 * picture.height / height) - 1)):
                window = picture.crop((int(left), int(top), int(left + width), int(top + height)))
                yield window
                yield window.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _picture(content: bytes) -> Any:
    return Image.open(io.BytesIO(content)).convert("RGB")


KINDS: dict[str, Callable[..., Labelled]] = {"mnist": mnist, "cifar": cifar, "photos": photos}
