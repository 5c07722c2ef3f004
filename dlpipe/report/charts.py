"""Horizontal bars with whiskers: from values to places on a scale of 0 to 100. The text around them is HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Datum:
    label: str
    value: float | None
    interval: tuple[float, float] | None
    text: str  # the value as it is written beside the bar
    detail: str  # what stands below: interval, sample size, or why there is no value
    tone: str  # "good", "bad", "flat", "unsure" or "none"
    kin: str = ""  # only what is of the same kin may share a label
    members: str = ""  # the names behind the label, where it stands for many


@dataclass(frozen=True, slots=True)
class Bar:
    datum: Datum
    start: float
    width: float
    whisker: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Chart:
    bars: tuple[Bar, ...]
    origin: float  # where on the scale the bars begin
    mark: float | None  # where a reference line stands


def chart(data: Sequence[Datum], *, least: tuple[float, float], mark: float | None = None) -> Chart:
    """least: the range that the scale covers at any rate. Bars begin at 0. Intervals are cut at the scale's ends,
    which follow from the values, so that one huge interval does not flatten all bars."""
    values = [each.value for each in data if each.value is not None]
    ends = [end for each in data if each.interval for end in each.interval]
    span = max([abs(value) for value in values] + [least[1] - least[0]])
    low = max(min([least[0], *values, *ends]), min([least[0], *values]) - span)
    high = min(max([least[1], *values, *ends]), max([least[1], *values]) + span)

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 2)

    bars = []
    for each in data:
        start, end = (place(0), place(each.value)) if each.value is not None else (place(0), place(0))
        whisker = (place(each.interval[0]), place(each.interval[1])) if each.interval else None
        bars.append(Bar(each, min(start, end), round(abs(end - start), 2), whisker))
    return Chart(tuple(bars), place(0), place(mark) if mark is not None else None)
