"""What a metric leaves of a model's answers: enough to tell its figure for any weighting of the samples.

A weight says how often a sample counts. All ones gives the figure itself, a draw with replacement a bootstrap
replicate, a single zero a jackknife one. Most metrics are a function of sums over the samples, so that all replicates
are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Scored(Protocol):
    """`right`: per sample, where the metric is the share of samples that are right."""

    @property
    def n(self) -> int: ...

    @property
    def right(self) -> Bools | None: ...

    @property
    def resamples(self) -> int:
        """How often samples are drawn for an interval."""
        ...

    def values(self, weights: Floats) -> Floats:
        """weights [b, n] -> figures [b]; NaN where a weighting leaves nothing to tell it by."""
        ...

    def without_each(self) -> Floats | None:
        """[n]: the figure without sample 0, 1 ...; None where that would take too long."""
        ...


@dataclass(frozen=True)
class Sums:
    """The figure is a function of sums over the samples: parts [n, k], figure: sums [b, k] -> [b]."""

    parts: Floats
    figure: Callable[[Floats], Floats]
    right: Bools | None = None
    resamples: int = RESAMPLES

    @property
    def n(self) -> int:
        return len(self.parts)

    def values(self, weights: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(self.figure(weights @ self.parts), np.float64)

    def without_each(self) -> Floats | None:
        with np.errstate(all="ignore"):
            return np.asarray(self.figure(self.parts.sum(axis=0) - self.parts), np.float64)


@dataclass(frozen=True)
class Weighed:
    """The figure is told from the weights themselves, as where samples are ranked: of: weights [b, n] -> [b]."""

    n: int
    of: Callable[[Floats], Floats]
    right: Bools | None = None
    jackknife: int = 3000  # above so many samples leaving out each in turn takes too long
    resamples: int = RESAMPLES

    def values(self, weights: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return self.of(weights)

    def without_each(self) -> Floats | None:
        if self.n > self.jackknife:
            return None
        found = []
        for start in range(0, self.n, 64):
            rows = np.arange(start, min(start + 64, self.n))
            weights = np.ones((len(rows), self.n))
            weights[np.arange(len(rows)), rows] = 0
            found.append(self.values(weights))
        return np.concatenate(found)


def mean_of(each: Any) -> Sums:
    """The figure is the mean of one number per sample."""
    values = np.asarray(each, np.float64).reshape(-1)
    return Sums(np.stack([values, np.ones_like(values)], axis=1), lambda sums: sums[..., 0] / sums[..., 1])


def share_of(right: Bools) -> Sums:
    """The figure is the share of samples that are right."""
    made = mean_of(right)
    return Sums(made.parts, made.figure, right)
