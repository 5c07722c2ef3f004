"""The time that a search may take: it is looked at before each try, with what that one is expected to take."""

from __future__ import annotations

import time
from collections.abc import Callable


class Spending:
    """seconds: the budget, which begins to run now. clock: in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began = clock()
        self._taken: dict[str, list[float]] = {}

    def left(self) -> float:
        """Seconds; below 0 where more was spent."""
        return self._seconds - (self._clock() - self._began)

    def took(self, kind: str, seconds: float) -> None:
        """One try of that kind."""
        self._taken.setdefault(kind, []).append(seconds)

    def expected(self, *kinds: str) -> float:
        """Seconds, of one try of each: as the longest of its kind, else as one took on average, whatever it was. 0
        before anything was tried."""
        every = [seconds for each in self._taken.values() for seconds in each]
        average = sum(every) / max(len(every), 1)
        return sum(max(self._taken.get(kind, (average,))) for kind in kinds)

    def fits(self, *kinds: str, reserve: float = 0.0) -> bool:
        """Whether one try of each of these kinds is expected to end in time. reserve: the share of the budget that is
        kept for what comes after."""
        return self.expected(*kinds) <= self.left() - reserve * self._seconds
