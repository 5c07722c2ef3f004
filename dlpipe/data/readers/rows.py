"""Arrays whose rows are made one by one: decoded, parsed, or read from a record. Worker side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .stream import Array

_CHUNK = 8 << 20  # bytes
_LARGEST_ROW = 1 << 30


def from_rows(count: int, row: Callable[[int], NDArray[Any]], title: Callable[[int], str]) -> Array:
    """`row(i)` makes row i; all have the shape and dtype of the first. Raises Refused, with `title(i)`, where one does
    not, when it is read."""
    first = np.asarray(row(0))
    if first.nbytes > _LARGEST_ROW:
        raise Refused(f"{title(0)} takes {first.nbytes:,} bytes: more than can be read")
    step = max(1, _CHUNK // max(1, first.nbytes))

    def pick(chosen: Sequence[int]) -> Iterator[NDArray[Any]]:
        for begin in range(0, len(chosen), step):
            rows = []
            for index in chosen[begin : begin + step]:
                made = np.asarray(row(index))
                if (made.shape, made.dtype) != (first.shape, first.dtype):
                    raise Refused(
                        f"{title(index)} is {made.dtype}{list(made.shape)}, and the first one "
                        f"{first.dtype}{list(first.shape)}: one array holds samples of one shape"
                    )
                rows.append(made)
            yield np.stack(rows)

    return Array(count, first.shape, first.dtype, lambda: pick(range(count)), pick)
