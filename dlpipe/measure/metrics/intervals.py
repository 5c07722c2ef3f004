"""Intervals and paired tests of any metric, by resampling the samples. The same data give the same figures.

Sources: B. Efron, "Better bootstrap confidence intervals", JASA 1987 (bias-corrected and accelerated, BCa); B. Efron
and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 to 16.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from .scored import Floats, Scored

_CHUNK = 100
_SEED = 20180801
_DEFINED = 0.95  # the share of replicates that must have a figure at all
_NORMAL = NormalDist()

Interval = tuple[float, float]


def draws(n: int, resamples: int) -> Iterator[Floats]:
    """Weights [<= 100, n]: how often each sample is drawn, in so many draws of n with replacement."""
    generator = np.random.default_rng(_SEED)
    for start in range(0, resamples, _CHUNK):
        many = min(_CHUNK, resamples - start)
        drawn = generator.integers(0, n, (many, n)) + n * np.arange(many)[:, None]
        yield np.bincount(drawn.ravel(), minlength=many * n).reshape(many, n).astype(np.float64)


def replicates(scored: Scored) -> Floats:
    return np.concatenate([scored.values(weights) for weights in draws(scored.n, scored.resamples)])


def interval(estimate: float, drawn: Floats, without: Floats | None) -> tuple[Interval | None, str | None]:
    """(95 % interval, how it was computed). None: the samples do not tell one."""
    known = drawn[np.isfinite(drawn)]
    if len(drawn) == 0 or len(known) < _DEFINED * len(drawn):
        return None, None
    tails = _bca(estimate, known, without)
    low, high = np.quantile(known, tails or (0.025, 0.975))
    return (min(float(low), estimate), max(float(high), estimate)), f"bootstrap-{'bca' if tails else 'percentile'}"


def _bca(estimate: float, drawn: Floats, without: Floats | None) -> tuple[float, float] | None:
    """Which quantiles of the replicates bound the interval; None where the correction cannot be told."""
    if without is None or not np.isfinite(without).all():
        return None
    below = float(np.mean(drawn < estimate) + np.mean(drawn == estimate) / 2)
    if not 0 < below < 1:
        return None
    bias = _NORMAL.inv_cdf(below)
    apart = without.mean() - without
    square = float((apart**2).sum())
    if square == 0:
        return None
    skew = float((apart**3).sum()) / (6 * square**1.5)
    ends = []
    for point in (-1.959963984540054, 1.959963984540054):
        scale = 1 - skew * (bias + point)
        if scale <= 0:
            return None
        ends.append(_NORMAL.cdf(bias + (bias + point) / scale))
    return ends[0], ends[1]


def paired_p(differences: Floats) -> float | None:
    """Two-sided p-value that a difference is none, from its bootstrap replicates: twice the share of the rarer sign,
    where a replicate without any difference speaks for both. None where most replicates have no figure."""
    known = differences[np.isfinite(differences)]
    if len(differences) == 0 or len(known) < _DEFINED * len(differences):
        return None
    rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(known) + 1))
