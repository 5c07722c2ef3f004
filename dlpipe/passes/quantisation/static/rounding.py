"""Stored weights in 8 bits."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_TRIED = np.linspace(0.5, 1.0, 26)  # shares of the largest weight that are tried for the end of the range
_BIAS_LIMIT = float(1 << 30)  # of int32, with room for the sum that the bias is added to


@dataclass(frozen=True, slots=True)
class Stored:
    """levels: int8. scale: float32, a number or one per channel. The level of zero is 0."""

    levels: Any
    scale: Any


def round_off(array: Any, axis: int | None, *, bits: int, least: Any = 0.0) -> Stored:
    """The scales of least squared error. axis: None for one scale. bits: 8, or 7 where a kernel's sums of two products
    would leave 16 bits. least: no scale is below it."""
    last = (1 << (bits - 1)) - 1
    rows = array.astype(np.float32).reshape(1, -1) if axis is None else np.moveaxis(array, axis, 0).astype(np.float32)
    rows = rows.reshape(len(rows), -1)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    best, losses = largest, np.full(len(rows), np.inf)
    for share in _TRIED[::-1]:
        scale = np.where(largest > 0, largest * share / last, 1.0)[:, None]
        loss = ((np.clip(np.rint(rows / scale), -last, last) * scale - rows) ** 2).sum(axis=1)
        best, losses = np.where(loss < losses, largest * share, best), np.minimum(loss, losses)
    scale = np.maximum(np.where(best > 0, best / last, 1.0), least).astype(np.float32)
    scale = scale[0] if axis is None else scale
    levels = np.clip(np.rint(array / _along(scale, axis, array.ndim)), -last, last).astype(np.int8)
    return Stored(levels, scale)


def least_scale(bias: Any, of_input: Any) -> Any:
    """Below it, the bias would not fit into 32 bits."""
    return np.abs(bias).astype(np.float64) / (_BIAS_LIMIT * of_input)


def _along(scale: Any, axis: int | None, rank: int) -> Any:
    return scale if axis is None else scale.reshape([-1 if each == axis else 1 for each in range(rank)])
