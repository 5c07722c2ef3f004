"""Labels, whatever they are: classes, numbers, texts, boxes, arrays. Worker side.

`Labels.truth` says what a label is: "class", an index into `names`, or a class number where there are none; "value", a
number; "text"; "boxes", a list of [left, top, right, bottom, class, crowd] in pixels; "array": a row of `array`, such
as a mask, a picture, or one 0 or 1 for each of several classes. A metric that wants numbers takes class numbers for
them, so nothing has to be guessed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Truth = Literal["class", "value", "text", "boxes", "array"]


@dataclass(frozen=True)
class Labels:
    """Per sample a label, or None; empty when nothing is labelled. Of truth "array" a label is just True."""

    labels: Sequence[Any] = ()
    names: Sequence[str] | None = None
    note: str | None = None
    truth: Truth = "class"
    array: NDArray[Any] | None = None  # [samples, ...]
    mask_sizes: Sequence[tuple[int, int] | None] | None = None  # of masks in the corner of their row, where they differ
    size: tuple[int, int] | None = None  # height, width of the pictures that boxes lie in, where all have one


def from_array(y: NDArray[Any]) -> Labels:
    """`y` is [N] or [N, 1] of integers, reals or strings; [N, classes] with a single 1 per row; or any other array of
    numbers, one row per sample. -1 among class numbers, and NaN among reals, is no label."""
    flat = y.reshape(len(y)) if y.size == len(y) else y
    if flat.ndim == 1 and flat.dtype.kind in "US":
        return from_names(
            [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in flat.tolist()]
        )
    if flat.dtype.kind not in "biuf":
        return Labels([None] * len(y), note="the targets in the data are no numbers: accuracy is unknown")
    if flat.ndim == 1 and _whole(flat):
        return Labels([int(value) if value >= 0 else None for value in flat.tolist()])
    if flat.ndim == 1:  # reals, or whole numbers of which some are below -1
        known = np.isfinite(flat).tolist()
        numbers = [float(value) if told else None for value, told in zip(flat.tolist(), known, strict=True)]
        return Labels(numbers, truth="value")
    if flat.ndim == 2 and bool(np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()):
        return Labels([int(index) for index in flat.argmax(axis=1)])
    finite = np.isfinite(flat.reshape(len(flat), -1)).all(axis=1).tolist()
    return Labels([True if told else None for told in finite], truth="array", array=flat)


def from_names(given: list[str]) -> Labels:
    """Class names, one per sample; empty means none."""
    names = sorted({name for name in given if name})
    number = {name: index for index, name in enumerate(names)}
    return Labels([number.get(name) for name in given], names)


def from_texts(given: list[str]) -> Labels:
    return Labels(given, truth="text")


def _whole(values: NDArray[Any]) -> bool:
    """Whether they may be class numbers."""
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.floor(values)).all()):
        return False
    return bool(values.dtype.kind in "bu" or values.min(initial=0) >= -1)
