"""Samples with values that are not numbers: some models take them for missing values, most break on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOOKED = 256  # samples at a time: masks of large arrays take memory too


def find_gaps(arrays: Mapping[str, NDArray[Any]], items: Sequence[str]) -> str | None:
    """One line on the samples that hold NaN, None where none does. items: a name per sample, or nothing.

    Infinities are not looked for: masks of attention have them.
    """
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        parts = (array[place : place + _LOOKED] for place in range(0, len(array), _LOOKED))
        bad = np.concatenate([np.isnan(part.reshape(len(part), -1)).any(axis=1) for part in parts])
        if bad.any():
            first, count = int(bad.argmax()), int(bad.sum())
            item = items[first] if first < len(items) else f"sample {first}"
            which = f"{item} holds" if count == 1 else f"{count:,} of {len(array):,} samples hold"
            return f"{which} values that are not numbers (NaN) in {name!r}" + (f", {item} first" if count > 1 else "")
    return None
