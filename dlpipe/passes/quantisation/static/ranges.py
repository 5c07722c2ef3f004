"""From what was seen of a tensor to the range that its 8 bits should cover."""

from typing import Any

import numpy as np

from .extremes import Extremes, MeanExtremes
from .histogram import Histogram

OF_HISTOGRAMS = ("minmax", "percentile", "entropy", "mse")  # what is kept for one of them serves all
METHODS = (*OF_HISTOGRAMS, "mean")

_LAST = 255  # the highest of 256 levels
_SHARES = np.linspace(0.2, 1.0, 81)  # of an end of the range, that are tried
_EVEN = 2048  # bins of one width, of which an entropy is taken
_MISSED = 10.0  # nats for what has no image, in place of infinitely many
_POINTS = np.array([1.0, 3.0, 5.0]) / 6.0  # where in a bin its values are taken to lie, a third of them each


def kept_for(method: str) -> type[Extremes]:
    """What is to be kept of the samples for that method, and no more than it wants."""
    return {"minmax": Extremes, "mean": MeanExtremes}.get(method, Histogram)


def choose(seen: Extremes, method: str, *, percentile: float = 99.99, symmetric: bool = False) -> tuple[float, float]:
    """(low, high) with low <= 0 <= high; with `symmetric`, -low == high. seen: as `kept_for` says. method:

    minmax: all that was seen. mean: as far as a sample reaches on average; what is beyond is clipped. percentile: that
    share of the values in percent, what is cut taken from both ends. entropy: the clipped values, in 256 levels, keep
    most of the distribution (Migacz 2017: least Kullback-Leibler divergence). mse: least squared error, of rounding
    inside and clipping outside (Banner et al. 2019, with the histogram in place of a fitted distribution).
    """
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    if symmetric:
        low, high = -max(-low, high), max(-low, high)
    if not low < high:  # nothing was seen, or only zeros
        return 0.0, 0.0
    if method in ("minmax", "mean"):
        return low, high
    assert isinstance(seen, Histogram)
    if method == "percentile":
        low, high = _percentile(seen, low, high, percentile)
        return (-max(-low, high), max(-low, high)) if symmetric else (low, high)
    loss = _divergence if method == "entropy" else _squared_error
    bins = seen.bins()
    if symmetric or low == 0.0 or high == 0.0:
        return _best(loss, bins, [(low * share, high * share) for share in _SHARES])
    # Both ends together, then each by itself.
    low, high = _best(loss, bins, [(low * share, high * share) for share in _SHARES])
    low, high = _best(loss, bins, [(low, high * share) for share in _SHARES])
    return _best(loss, bins, [(low * share, high) for share in _SHARES])


def grid(low: float, high: float) -> tuple[float, int]:
    """(scale, level of zero) of 256 levels from `low` to `high`, counted from 0. Zero is a level; of a symmetric range
    it is the 128th, which is 0 in signed integers, and not the one below it by a rounding error."""
    scale = (high - low) / _LAST or 1.0
    return scale, 128 if -low == high > 0 else round(-low / scale)


def _best(loss: Any, bins: Any, candidates: list[tuple[float, float]]) -> tuple[float, float]:
    """The widest of the best."""
    losses = np.array([loss(bins, low, high) for low, high in candidates])
    return candidates[len(losses) - 1 - int(np.argmin(losses[::-1]))]


def _percentile(seen: Histogram, low: float, high: float, percentile: float) -> tuple[float, float]:
    lows, highs, counts = seen.bins()
    share = np.cumsum(counts) / counts.sum()
    tail = (100.0 - percentile) / 200.0
    if tail <= 0:
        return low, high
    first = int(np.searchsorted(share, tail, side="right"))
    last = int(np.searchsorted(share, 1.0 - tail))
    return min(float(lows[min(first, len(lows) - 1)]), 0.0), max(float(highs[min(last, len(highs) - 1)]), 0.0)


def _squared_error(bins: Any, low: float, high: float) -> float:
    lows, highs, counts = bins
    scale, zero = grid(low, high)
    values = lows + (highs - lows) * _POINTS[:, None]
    levels = np.clip(np.rint(values / scale) + zero, 0, _LAST)
    return float((counts * ((levels - zero) * scale - values) ** 2).sum())


def _divergence(bins: Any, low: float, high: float) -> float:
    """Of what is inside, with the rest at the ends, from its image in 256 levels, each spread over its values."""
    edges = np.linspace(low, high, _EVEN + 1)
    lows, highs, counts = bins
    below = np.interp(edges, *_cumulated(lows, highs, counts))
    inside = np.diff(below)
    if not inside.any():
        return float("inf")
    wanted = inside.copy()
    wanted[0] += below[0]
    wanted[-1] += counts[(lows != 0.0) | (highs != 0.0)].sum() - below[-1]
    scale, zero = grid(low, high)
    levels = np.clip(np.rint((edges[:-1] + edges[1:]) / 2 / scale) + zero, 0, _LAST).astype(np.intp)
    used = inside > 0
    share = np.bincount(levels, inside, _LAST + 1) / np.maximum(np.bincount(levels, used, _LAST + 1), 1)
    got = np.where(used, share[levels], 0.0)
    both = (wanted > 0) & (got > 0)
    wanted, got = wanted / wanted.sum(), got / got.sum()
    missed = wanted[~both].sum()  # what clipping has put where nothing was
    return float((wanted[both] * np.log(wanted[both] / got[both])).sum() + missed * _MISSED)


def _cumulated(lows: Any, highs: Any, counts: Any) -> tuple[Any, Any]:
    """(x, how many values lie below x). Zeros are not counted: every range has a level for them."""
    some = (lows != 0.0) | (highs != 0.0)
    ends = np.stack([lows[some], np.maximum(highs[some], np.nextafter(lows[some], np.inf))], axis=1).reshape(-1)
    total = np.cumsum(counts[some])
    return ends, np.stack([total - counts[some], total], axis=1).reshape(-1)
