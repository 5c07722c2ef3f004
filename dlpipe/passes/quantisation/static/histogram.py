"""What is kept of a tensor's values while samples go by: the range, and how many there were of each size."""

from typing import Any

import numpy as np

_BINS = 1 << 16
_SIGN = 1 << 15
_LOOK = 1 << 14  # values that are looked at together: they stay in the cache, and calls cost more than few values


class Histogram:
    """Counts of float32 values by their first 16 bits: sign, exponent, 7 bits of the mantissa.

    These bins need no range in advance, so the samples are run once. A bin is at most 1/128 of its values wide: at the
    far end of a range that is one or two of the 256 steps which 8 bits have for it, and near zero far less than one.
    every: 1 counts all values, n each nth of them, where there are so many that counting would take longer than
    computing them; the range is that of all. never_negative: what is known of the values; then `low` is 0. What is kept
    does not depend on how many samples are run together. Memory: 320 kB, whatever is seen.
    """

    def __init__(self, every: int = 1, *, never_negative: bool = False) -> None:
        self._every = every
        self._never_negative = never_negative
        self._low, self._high, self._seen = np.inf, -np.inf, 0
        self._values = np.empty(_LOOK, np.float32)  # that nobody has looked at
        self._held = 0
        self._counts = np.zeros(_BINS, np.uint32)

    def add(self, array: Any) -> None:
        """`array`: float32. A value that is not finite makes an end of the range so, and keeps it so."""
        flat = np.ascontiguousarray(array, np.float32).reshape(-1)
        if self._held + flat.size > _LOOK:
            self._settle()
        if flat.size >= _LOOK:
            self._look(flat)
        else:
            self._values[self._held : self._held + flat.size] = flat
            self._held += flat.size

    def _settle(self) -> None:
        held, self._held = self._held, 0
        if held:
            self._look(self._values[:held])

    def _look(self, values: Any) -> None:
        self._low = 0.0 if self._never_negative else float(np.minimum(self._low, values.min()))
        self._high = float(np.maximum(self._high, values.max()))
        chosen = values.view(np.uint16)[1 + 2 * (-self._seen % self._every) :: 2 * self._every]
        self._seen += values.size
        if self._seen >= 1 << 32:
            self._counts = self._counts.astype(np.uint64, copy=False)
        one = self._counts.dtype.type(1)
        for start in range(0, chosen.size, _BINS):
            np.add.at(self._counts, chosen[start : start + _BINS].astype(np.intp), one)  # uint16 would take longer

    @property
    def low(self) -> float:
        """The least value; infinity where nothing was seen."""
        self._settle()
        return self._low

    @property
    def high(self) -> float:
        self._settle()
        return self._high

    @property
    def seen(self) -> int:
        """How many values."""
        self._settle()
        return self._seen

    def counts(self) -> Any:
        """Of each bin."""
        self._settle()
        return self._counts

    @classmethod
    def of(cls, parts: list["Histogram"]) -> "Histogram":
        """All of them together."""
        made = cls()
        for part in parts:
            made._low, made._high = min(made._low, part.low), max(made._high, part.high)
            made._seen += part.seen
        made._counts = sum((part.counts().astype(np.uint64) for part in parts), np.zeros(_BINS, np.uint64))
        return made

    @property
    def is_finite(self) -> bool:
        """Of a tensor of which nothing was seen, too."""
        return self.seen == 0 or bool(np.isfinite(self.low) and np.isfinite(self.high))

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
