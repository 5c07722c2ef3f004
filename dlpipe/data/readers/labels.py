"""Labels that stand in an array: class numbers, class names, or one-hot rows. Worker side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Labels:
    labels: list[int | None]
    names: list[str] | None = None
    note: str | None = None


def from_array(y: NDArray[Any]) -> Labels:
    """`y` is [N] or [N, 1] of integers or strings, or [N, classes] with a single 1 per row. Others are no classes."""
    flat = y.reshape(len(y)) if y.size == len(y) else y
    if flat.ndim == 1 and flat.dtype.kind in "US":
        return from_names(
            [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in flat.tolist()]
        )
    if flat.ndim == 1 and _whole(flat):
        return Labels([int(value) if value >= 0 else None for value in flat.tolist()])
    if flat.ndim == 2 and bool(np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()):
        return Labels([int(index) for index in flat.argmax(axis=1)])
    return Labels([None] * len(y), note="the targets in the data are no classes: accuracy is unknown")


def from_names(given: list[str]) -> Labels:
    """Class names, one per sample; empty means none."""
    names = sorted({name for name in given if name})
    number = {name: index for index, name in enumerate(names)}
    return Labels([number.get(name) for name in given], names)


def _whole(values: NDArray[Any]) -> bool:
    if values.dtype.kind in "iub":
        return True
    return values.dtype.kind == "f" and bool(np.isfinite(values).all() and (values == np.floor(values)).all())
