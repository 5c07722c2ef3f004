"""Is one run worse than another, by more than noise? Standard library only.

Each comparison gives the one-sided probability that a run as good as the accepted one looks at least this bad. All of
a run's comparisons are judged together, so that many of them do not make a false alarm likely.

Sources: W. J. Dixon and A. M. Mood, "The statistical sign test", JASA 1946 (McNemar's exact test, one-sided);
G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 2008 (the
interval of a difference from the intervals of its two parts); Y. Hochberg, "A sharper Bonferroni procedure for
multiple tests of significance", Biometrika 1988; T. Kalibera and R. Jones, "Rigorous benchmarking in reasonable time",
ISMM 2013 (what varies between processes is not seen within one).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlpipe.measure.statistics import Z95

FALSE_ALARMS = 0.01  # the chance that a run that is no worse trips, over all of its comparisons
# Processes of the very same program differ lastingly (memory layout, neighbours on a shared machine), which resampling
# the rounds of one process cannot show: as benchmarks/gate_noise.py recorded it on a crowded machine, ratios vary from
# run to run up to 1.6 times as much as one run's interval says. So it is widened, and less is never a regression.
BETWEEN_RUNS = 1.5
SLOWER = 1.1

Estimate = tuple[float, float, float]  # value, lower, upper end of its 95 % interval


def sign_test(worse: int, better: int) -> float:
    """Exact: of the samples on which two classifiers differ, at least so many got worse. ValueError if negative."""
    if min(worse, better) < 0:
        raise ValueError(f"{worse} worse, {better} better")
    n = worse + better
    top = -n * math.log(2) + math.lgamma(n + 1)
    terms = (math.exp(top - math.lgamma(k + 1) - math.lgamma(n - k + 1)) for k in range(worse, n + 1))
    return min(1.0, math.fsum(terms))


def smaller(accepted: Estimate, found: Estimate) -> float:
    """That `found` lies below `accepted` by chance, where only the interval of each is known."""
    return _beyond(accepted[0] - found[0], math.hypot(accepted[0] - accepted[1], found[2] - found[0]))


def slower(accepted: Estimate, found: Estimate) -> float:
    """That the speed-up `found` is less than `accepted` / SLOWER by chance. ValueError unless all are positive."""
    if min(*accepted, *found) <= 0:
        raise ValueError("speed-ups are positive")
    lost = math.log(accepted[0] / found[0])
    spread = math.hypot(math.log(accepted[0] / accepted[1]), math.log(found[2] / found[0]))
    return _beyond(lost - math.log(SLOWER), BETWEEN_RUNS * spread)


def _beyond(distance: float, half: float) -> float:
    """half: of the 95 % interval, on the side that the distance is measured to."""
    if half <= 0:
        return 0.0 if distance > 0 else 1.0
    return 0.5 * math.erfc(Z95 * distance / half / math.sqrt(2))


def worse(probabilities: Sequence[float], level: float = FALSE_ALARMS) -> list[bool]:
    """Which of a run's comparisons are regressions (Hochberg's step-up: if the k-th largest is at most level / k,
    that and all smaller ones are)."""
    ordered = sorted(probabilities, reverse=True)
    bound = next((p for k, p in enumerate(ordered, start=1) if p <= level / k), -1.0)
    return [p <= bound for p in probabilities]
