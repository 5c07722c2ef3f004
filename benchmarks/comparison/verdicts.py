"""Figures from what the judge saw: quality with its interval, what was lost, and how much faster it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlpipe.measure.statistics import paired_difference, percentile, ratio_of_medians, wilson

_RESAMPLES = 1000
_QUICK = 20  # percent of the turns
Figure = dict[str, float]
Clocks = Mapping[str, Sequence[Sequence[float]]]  # clock -> rounds of seconds
Seen = Any  # per sample: "right" as a text of digits, or "matched" as a list of counts


def quality(metric: str, seen: Seen) -> Figure:
    """Percent, with its 95 % interval: right answers, or boxes that agree with the original's (F1)."""
    if metric == "detections":
        return _bootstrap(len(seen), lambda chosen: _agreement(seen, chosen))
    right, n = seen.count("1"), len(seen)
    low, high = wilson(right, n)
    return {"value": 100 * right / n, "low": 100 * low, "high": 100 * high}


def lost(metric: str, seen: Seen, before: Seen) -> Figure:
    """Points by which `seen` is worse than `before` on the same samples, with the paired 95 % interval."""
    if metric == "detections":
        return _bootstrap(len(seen), lambda chosen: _agreement(before, chosen) - _agreement(seen, chosen))
    n = len(seen)
    only_before = sum(a > b for a, b in zip(before, seen, strict=True))
    only_seen = sum(b > a for a, b in zip(before, seen, strict=True))
    low, high = paired_difference(only_before, only_seen, n)
    return {
        "value": 100 * (only_before - only_seen) / n,
        "low": 100 * low,
        "high": 100 * high,
        "only_before": only_before,
        "only_this": only_seen,
    }


def faster(clock: str, rounds: Clocks, before: Clocks) -> Figure:
    """How many times faster it is than `before`, with the bootstrap interval over the rounds they shared.

    By the wall clock the ratio of medians. By processor time, which is for a machine that others use too, the ratio of
    the quick fifth of the turns, each by its least run: what disturbs a run only ever adds to it.
    """
    if clock == "wall":
        value, low, high = ratio_of_medians(before["wall"], rounds["wall"])
        return {"value": value, "low": low, "high": high}
    least, least_before = ([min(runs) for runs in each["cpu"]] for each in (rounds, before))

    def ratio(chosen: Sequence[int]) -> float:
        upper, lower = ([each[index] for index in chosen] for each in (least_before, least))
        return percentile(upper, _QUICK) / percentile(lower, _QUICK)

    return _bootstrap(len(least), ratio)


def median_ms(rounds: Sequence[Sequence[float]]) -> float:
    return 1e3 * percentile([second for each in rounds for second in each], 50)


def _agreement(matched: Sequence[Sequence[int]], chosen: Sequence[int]) -> float:
    expected, found, both = (sum(matched[index][place] for index in chosen) for place in range(3))
    return 200 * both / (expected + found) if expected + found else 100.0


def _bootstrap(n: int, figure: Callable[[Sequence[int]], float]) -> Figure:
    generator = random.Random(0)
    drawn = [figure(generator.choices(range(n), k=n)) for _ in range(_RESAMPLES)]
    return {"value": figure(range(n)), "low": percentile(drawn, 2.5), "high": percentile(drawn, 97.5)}
