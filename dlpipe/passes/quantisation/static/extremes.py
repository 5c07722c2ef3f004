"""What is kept of a tensor's values while samples go by, where a range needs no more than their ends."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

_LOOK = 1 << 14  # values that are looked at together: they stay in the cache, and calls cost more than few values


class Extremes:
    """The least and the greatest value of all. never_negative: what is known of the values; then `low` is 0. What is
    kept does not depend on how many samples are run together. Memory: 64 kB."""

    def __init__(self, *, never_negative: bool = False) -> None:
        self._never_negative = never_negative
        self._low, self._high, self._seen = np.inf, -np.inf, 0
        self._values = np.empty(_LOOK, np.float32)  # that nobody has looked at
        self._held = 0

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

    @property
    def is_finite(self) -> bool:
        """Of a tensor of which nothing was seen, too."""
        return self.seen == 0 or bool(np.isfinite(self.low) and np.isfinite(self.high))

    @classmethod
    def of(cls, parts: Sequence[Self]) -> Self:
        """All of them together: of the ends, the widest."""
        if len(parts) == 1:
            return parts[0]
        made = cls()
        made._join(parts)
        return made

    def _join(self, parts: Sequence[Self]) -> None:
        self._low, self._high = min(part.low for part in parts), max(part.high for part in parts)
        self._seen = sum(part.seen for part in parts)

    def _settle(self) -> None:
        """Look at what was put by."""
        held, self._held = self._held, 0
        if held:
            self._look(self._values[:held])

    def _look(self, values: Any) -> None:
        low, high = self._ends(values)
        self._low, self._high = float(np.minimum(self._low, low)), float(np.maximum(self._high, high))
        self._seen += values.size

    def _ends(self, values: Any) -> tuple[Any, Any]:
        return 0.0 if self._never_negative else values.min(), values.max()


class MeanExtremes(Extremes):
    """The mean of the samples' least values, and that of their greatest: `add` gets one sample at a time."""

    def __init__(self, *, never_negative: bool = False) -> None:
        super().__init__(never_negative=never_negative)
        self._sums = np.zeros(2)
        self._samples = 0

    def add(self, array: Any) -> None:
        if array.size:
            self._sums += self._ends(array)
            self._samples += 1
            self._low, self._high = (self._sums / self._samples).tolist()
            self._seen += array.size
