"""Which of the candidates that keep the limits comes first: of those that are as fast as far as can be told, the one
that is nearest to the original.

Speeds and losses are estimates: of ten candidates that differ in nothing but luck, the fastest timing and the least
loss on a few samples are both likely to be luck. What is left to choose by is how far the outputs are from the
original's (signal to noise), which hardly varies from sample to sample.
"""

from __future__ import annotations

from collections.abc import Iterable

from dlpipe.passes.recipes import Goal
from dlpipe.pipeline.compress.judge import cost, drop
from dlpipe.report.compression import Tried

_ALIKE = 0.95  # of the highest speed-up: no more of it is given away, however little the timings can tell


def in_order(tried: Iterable[Tried], goal: Goal) -> list[Tried]:
    """Those that keep every limit and gain, the best first."""
    left = [each for each in tried if each.verdict == "meets"]
    ordered: list[Tried] = []
    while left:
        best = _nearest(_cheapest(left, goal), goal)
        left.remove(best)
        ordered.append(best)
    return ordered


def _cheapest(tried: list[Tried], goal: Goal) -> list[Tried]:
    """The smallest; or the fastest, and all whose speed-up lies within the interval of its, and not far below it."""
    first = min(tried, key=lambda each: cost(each.figures, goal))
    speedup = first.figures.speedup if goal == "latency" else None
    if speedup is None or speedup.value is None or speedup.ci95 is None:
        return [each for each in tried if cost(each.figures, goal) == cost(first.figures, goal)]
    least = max(speedup.ci95[0], _ALIKE * speedup.value)
    return [each for each in tried if each.figures.speedup is not None and (each.figures.speedup.value or 0) >= least]


def _nearest(tried: list[Tried], goal: Goal) -> Tried:
    """Of those whose loss may be as little as the least of all, by its interval."""
    least = min(drop(each.figures) for each in tried)
    alike = [each for each in tried if _least_drop(each) <= least]
    return min(alike, key=lambda each: (-_sqnr(each), drop(each.figures), cost(each.figures, goal), each.number))


def _least_drop(tried: Tried) -> float:
    accuracy = tried.figures.accuracy
    interval = accuracy.drop_ci95 if accuracy is not None else None
    return interval[0] if interval is not None else drop(tried.figures)


def _sqnr(tried: Tried) -> float:
    fidelity = tried.figures.fidelity
    return fidelity.sqnr_db if fidelity is not None and fidelity.sqnr_db is not None else float("-inf")
