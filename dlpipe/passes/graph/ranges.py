"""From a histogram of activations to the range that int8 should cover."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 2048
_STEPS = 256  # of int8
_CANDIDATES = np.linspace(0.25, 1.0, 76)  # shares of the full range that are tried


@dataclass(slots=True)
class Observed:
    """What was seen of one tensor so far; the histogram spans [low, high]."""

    low: float = np.inf
    high: float = -np.inf
    counts: Any = None  # int64 [BINS]

    def widen(self, array: Any) -> None:
        if array.size:
            self.low = min(self.low, float(array.min()))
            self.high = max(self.high, float(array.max()))

    def count(self, array: Any) -> None:
        if self.counts is None:
            self.counts = np.zeros(BINS, np.int64)
        if self.low < self.high:
            self.counts += np.histogram(array, bins=BINS, range=(self.low, self.high))[0]

    def centres(self) -> Any:
        width = (self.high - self.low) / BINS
        return self.low + width * (np.arange(BINS) + 0.5)


def choose(observed: Observed, method: str, percentile: float) -> tuple[float, float]:
    """(low, high) with low <= 0 <= high. method:

    minmax: all that was seen. percentile: that share of the values in percent, what is cut taken from both ends.
    mse: the share of the full range whose expected squared error (rounding inside, clipping outside) is least
    (Banner et al. 2019, with the histogram in place of a fitted distribution).
    """
    low, high = min(observed.low, 0.0), max(observed.high, 0.0)
    if method == "minmax" or observed.low >= observed.high:
        return low, high
    if method == "percentile":
        share = np.cumsum(observed.counts) / observed.counts.sum()
        tail = (100.0 - percentile) / 200.0
        centres = observed.centres()
        first = int(np.searchsorted(share, tail)) if tail > 0 else 0
        last = min(int(np.searchsorted(share, 1.0 - tail)), BINS - 1)
        cut_low, cut_high = float(centres[first]), float(centres[last])
        return min(cut_low, 0.0) if first else low, max(cut_high, 0.0) if last < BINS - 1 else high
    errors = [_squared_error(observed, low * share, high * share) for share in _CANDIDATES]
    best = float(_CANDIDATES[int(np.argmin(errors))])
    return low * best, high * best


def _squared_error(observed: Observed, low: float, high: float) -> float:
    centres = observed.centres()
    outside = centres - np.clip(centres, low, high)
    rounding = ((high - low) / (_STEPS - 1)) ** 2 / 12.0
    return float((observed.counts * np.where(outside == 0.0, rounding, outside**2)).sum())
