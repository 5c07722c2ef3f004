"""How many values of a tensor there are of each size, kept while samples go by."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .extremes import Extremes

_BINS = 1 << 16
_SIGN = 1 << 15
_LATER = 1 << 16  # values that are counted at once: calls and a cold table cost more than what is put by for them


class Histogram(Extremes):
    """Counts of float32 values by their first 16 bits: sign, exponent, 7 bits of the mantissa.

    These bins need no range in advance, so the samples are run once. A bin is at most 1/128 of its values wide: at the
    far end of a range that is one or two of the 256 steps which 8 bits have for it, and near zero far less than one.
    every: 1 counts all values, n each nth of them, where there are so many that counting would take longer than
    computing them; the range is that of all. Memory: 450 kB, whatever is seen.
    """

    def __init__(self, every: int = 1, *, never_negative: bool = False) -> None:
        super().__init__(never_negative=never_negative)
        self._every = every
        self._counts = np.zeros(_BINS, np.uint32)
        self._chosen = np.empty(_LATER, np.uint16)  # that are not counted yet
        self._waiting = 0

    def counts(self) -> Any:
        """Of each bin."""
        self._settle()
        self._count()
        return self._counts

    def _join(self, parts: Sequence[Self]) -> None:
        super()._join(parts)
        self._counts = sum((part.counts().astype(np.uint64) for part in parts), np.zeros(_BINS, np.uint64))

    def _look(self, values: Any) -> None:
        chosen = values.view(np.uint16)[1 + 2 * (-self._seen % self._every) :: 2 * self._every]
        super()._look(values)
        while chosen.size:
            if self._waiting == _LATER:
                self._count()
            part, chosen = np.split(chosen, [_LATER - self._waiting])
            self._chosen[self._waiting : self._waiting + part.size] = part
            self._waiting += part.size

    def _count(self) -> None:
        if self._seen >= 1 << 32:
            self._counts = self._counts.astype(np.uint64, copy=False)
        places = self._chosen[: self._waiting].astype(np.intp)  # uint16 would take longer
        np.add.at(self._counts, places, self._counts.dtype.type(1))
        self._waiting = 0

    def bins(self) -> tuple[Any, Any, Any]:
        """(low end, high end, count) of every bin that holds something, float64, from the least values up. The ends
        do not reach beyond what was seen, and what is so near zero that its exponent is 0 is zero."""
        counts = self.counts()
        used = np.flatnonzero(counts)
        small = (used.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        large = ((used.astype(np.uint32) << 16) | 0xFFFF).view(np.float32).astype(np.float64)
        low, high = np.minimum(small, large), np.maximum(small, large)
        zero = (used & (_SIGN - 1)) < 1 << 7
        low[zero] = high[zero] = 0.0
        order = np.argsort(low, kind="stable")
        ends = np.clip((low, high), self.low, self.high)
        return ends[0][order], ends[1][order], counts[used][order].astype(np.float64)
