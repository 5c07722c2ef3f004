"""The statistics that decide whether a difference is real. Standard library only: host and workers share them.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927 (interval of
a proportion); Q. McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika
1947, in its exact binomial form; D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of
binomial proportions based on paired data", JEBS 2012; J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is
everything all right?", JAMA 1983 (the rule of three); B. Efron, "Bootstrap methods", Annals of Statistics 1979;
T. Kalibera and R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013 (resampling rounds, not single runs).
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence

Z95 = 1.959963984540054  # two-sided 95 % point of the normal distribution


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion, as fractions. Good also at 0, at 1 and for small n. ValueError if n < 1."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} successes of {n}")
    p = successes / n
    square = Z95 * Z95
    centre = p + square / (2 * n)
    spread = Z95 * math.sqrt(p * (1 - p) / n + square / (4 * n * n))
    scale = 1 + square / n
    # Rounding must not push the ends past the estimate where the interval touches 0 or 1.
    return max(0.0, min(p, (centre - spread) / scale)), min(1.0, max(p, (centre + spread) / scale))


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value that two classifiers, judged on the same samples, are equally good.

    only_first: samples that only the first gets right; only_second: likewise. Agreements carry no information.
    """
    n = only_first + only_second
    if n == 0:
        return 1.0
    top = math.lgamma(n + 1) - n * math.log(2)
    terms = (top - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * math.fsum(math.exp(term) for term in terms))


def paired_difference(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """95 % interval of (accuracy of the first - accuracy of the second) on the same n samples, as fractions.

    Bonett and Price's adjusted Wald interval: one phantom sample is added to each discordant cell, so that it has
    a width even where nothing was observed to differ.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > n or n < 1:
        raise ValueError(f"{only_first} + {only_second} discordant of {n}")
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    centre = first - second
    half = Z95 * math.sqrt((first + second - centre * centre) / (n + 2))
    return max(-1.0, centre - half), min(1.0, centre + half)


def samples_to_resolve(limit_points: float, discordant_rate: float) -> int:
    """How many labelled samples would tell a drop of `limit_points` (points) from none, at 95 %.

    The difference of two paired accuracies has at most the variance r / n, with r the share of samples on which the
    two disagree. The interval's half-width z sqrt(r / n) falls to the limit d at n = z^2 r / d^2. Where (almost)
    nothing disagrees, that n is too small to have seen a disagreement of d at all: ln(0.05) / ln(1 - d) samples,
    about 3 / d, are needed for that. The larger of the two is returned. ValueError unless 0 < limit_points < 100.
    """
    limit = limit_points / 100
    if not 0 < limit < 1 or not 0 <= discordant_rate <= 1:
        raise ValueError(f"limit {limit_points} points, discordant rate {discordant_rate}")
    return max(math.ceil(Z95 * Z95 * discordant_rate / limit**2), math.ceil(math.log(0.05) / math.log1p(-limit)))


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0-100), linear between the two nearest order statistics. ValueError when empty."""
    if not values or not 0 <= q <= 100:
        raise ValueError(f"percentile {q} of {len(values)} values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    between = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    return min(max(between, ordered[low]), ordered[high])


def coefficient_of_variation(values: Sequence[float]) -> float:
    """Standard deviation / mean of positive values; 0 for fewer than two."""
    mean = statistics.fmean(values) if values else 0.0
    return statistics.stdev(values) / mean if len(values) > 1 and mean > 0 else 0.0


def spread(values: Sequence[float]) -> float:
    """Interquartile range / median: a noise measure that a few interrupted runs do not dominate."""
    median = percentile(values, 50)
    return (percentile(values, 75) - percentile(values, 25)) / median if median > 0 else 0.0


def ratio_of_medians(
    baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = 1000
) -> tuple[float, float, float]:
    """(median of baseline / median of candidate, lower, upper end of its 95 % bootstrap interval).

    Both are rounds of runs, measured in turn: round i of one beside round i of the other. Whole rounds are drawn,
    the same ones for both, because runs within a round share their disturbances. Seeded: the same data give the same
    interval. ValueError when there is no round, the numbers of rounds differ, or a value is not positive.
    """
    if len(baseline) != len(candidate) or not baseline or not all(baseline) or not all(candidate):
        raise ValueError("both need the same number of rounds, with at least one run in each")
    if any(value <= 0 for rounds in (baseline, candidate) for runs in rounds for value in runs):
        raise ValueError("times are positive")

    def ratio(chosen: Sequence[int]) -> float:
        return _median_of(baseline, chosen) / _median_of(candidate, chosen)

    return _resampled(ratio, len(baseline), seed, resamples)


def median_interval(
    rounds: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = 1000
) -> tuple[float, float, float]:
    """(median of all runs, lower, upper end of its 95 % bootstrap interval), whole rounds drawn as above.
    ValueError when there is no round, or one without a run."""
    if not rounds or not all(rounds):
        raise ValueError("there must be a round, and a run in each")
    return _resampled(lambda chosen: _median_of(rounds, chosen), len(rounds), seed, resamples)


def _median_of(rounds: Sequence[Sequence[float]], chosen: Sequence[int]) -> float:
    return statistics.median([value for index in chosen for value in rounds[index]])


def _resampled(
    estimator: Callable[[Sequence[int]], float], rounds: int, seed: int, resamples: int
) -> tuple[float, float, float]:
    """The estimate from all rounds, and the 2.5th and 97.5th percentile of those from rounds drawn anew."""
    generator = random.Random(seed)  # noqa: S311 - a bootstrap, not a secret
    estimate = estimator(range(rounds))
    drawn = [estimator(generator.choices(range(rounds), k=rounds)) for _ in range(resamples)]
    return estimate, min(estimate, percentile(drawn, 2.5)), max(estimate, percentile(drawn, 97.5))
