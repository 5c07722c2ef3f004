"""Loss against cost as a plot: from what was tried to places on a square of 0 to 100. The drawing is the template's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dlpipe.report import words
from dlpipe.report.compression import Compression, Figures


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    number: int  # of the candidate; 0: the uncompressed model
    label: str  # the numbers of all that lie here; empty where another point bears them
    text: str  # all of it in words
    state: str  # "base", "meets", "no-gain", "breaks"
    front: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Tick:
    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """y grows upwards. `front`: the points that nothing beats, from left to right."""

    points: tuple[Point, ...]
    front: tuple[tuple[float, float], ...]
    limit: float | None  # place of the limit to the loss
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_name: str
    y_name: str


def plot(report: Compression) -> Plot | None:
    """None where fewer than two models have both figures."""
    places = {0: _place(report, report.base, base=True)}
    places |= {each.number: _place(report, each.figures) for each in report.tried}
    known = {number: place for number, place in places.items() if place is not None}
    if len(known) < 2:
        return None
    limit = report.limits.get("max_accuracy_drop") if report.base.accuracy is not None else None
    losses = [x for x, _ in known.values()]
    # One that lost everything must not press all others into a corner.
    shown = min(max(losses), 6 * limit) if limit else max(losses)
    x_scale = Scale(min([*losses, 0.0]), max(shown, limit or 0.0))
    gains = [y for _, y in known.values()]
    y_scale = Scale(0.0 if report.minimised == "size" else min(gains), max(gains))
    states = {each.number: each for each in report.tried}
    chosen = report.chosen.number if report.chosen is not None else None
    marks = labels({number: (x_scale.place(x), y_scale.place(y)) for number, (x, y) in known.items()})
    points = [
        Point(
            x=x_scale.place(x),
            y=y_scale.place(y),
            number=number,
            label=marks.get(number, ""),
            text=_text(report, number, x, y),
            state=states[number].verdict if number else "base",
            front=unbeaten((x, y), known.values(), smaller=report.minimised == "size"),
            chosen=number == chosen,
        )
        for number, (x, y) in known.items()
    ]
    front = sorted((each.x, each.y) for each in points if each.front)
    return Plot(
        points=tuple(points),
        front=tuple(front),
        limit=x_scale.place(limit) if limit is not None else None,
        x_ticks=x_scale.ticks(lambda value: f"{value:g}"),
        y_ticks=y_scale.ticks(words.size if report.minimised == "size" else words.times),
        x_name=_lost(report),
        y_name="size" if report.minimised == "size" else "speed-up against the uncompressed model",
    )


def labels(places: Mapping[int, tuple[float, float]]) -> dict[int, str]:
    """What is written beside points: those that lie so near that their numbers would cover each other share a label."""
    groups: dict[int, list[int]] = {}
    for number, (x, y) in places.items():
        near = (first for first in groups if abs(places[first][0] - x) < 4 and abs(places[first][1] - y) < 4)
        groups.setdefault(next(near, number), []).append(number)
    return {first: ", ".join(map(str, numbers)) for first, numbers in groups.items()}


def unbeaten(place: tuple[float, float], others: Iterable[tuple[float, float]], *, smaller: bool) -> bool:
    """No other is at least as good in both, and better in one. smaller: less of y is better."""
    sign = 1 if smaller else -1
    x, y = place[0], sign * place[1]
    return not any(x2 <= x and sign * y2 <= y and (x2, sign * y2) != (x, y) for x2, y2 in others)


def _place(report: Compression, figures: Figures, *, base: bool = False) -> tuple[float, float] | None:
    loss, gain = _loss(figures), _cost(report, figures, base=base)
    return None if loss is None or gain is None else (loss, gain)


def _lost(report: Compression) -> str:
    found = report.base.accuracy
    return "outputs' direction lost, in %" if found is None else words.loss_title(found)


def _loss(figures: Figures) -> float | None:
    if figures.accuracy is not None:
        return figures.accuracy.drop
    cosine = figures.fidelity.cosine if figures.fidelity is not None else None
    return None if cosine is None else 100 * (1 - cosine)


def _cost(report: Compression, figures: Figures, *, base: bool) -> float | None:
    if report.minimised == "latency":
        return 1.0 if base else figures.speedup.value if figures.speedup is not None else None
    figure = figures.cost.get("size")
    return float(figure.value) if figure is not None and isinstance(figure.value, int | float) else None


def _text(report: Compression, number: int, x: float, y: float) -> str:
    name = next((each.recipe for each in report.tried if each.number == number), "uncompressed")
    found = report.base.accuracy
    loss = words.difference(x, found.unit) if found is not None else f"{x:+.2f} %"
    gain = words.size(y) if report.minimised == "size" else words.times(y)
    return words.plain(f"{number}: {name}: {loss}, {gain}")


class Scale:
    """From values to 3..97, with round ticks."""

    def __init__(self, low: float, high: float) -> None:
        span = high - low or max(abs(high), 1.0)
        self._low, self._high = low, low + span

    def place(self, value: float) -> float:
        share = (min(max(value, self._low), self._high) - self._low) / (self._high - self._low)
        return round(3 + 94 * share, 2)

    def ticks(self, text: Callable[[float], str]) -> tuple[Tick, ...]:
        rough = (self._high - self._low) / 4
        unit = 10 ** math.floor(math.log10(rough))
        step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
        first = math.ceil(self._low / step - 1e-9)
        values = [(first + index) * step for index in range(8)]
        return tuple(Tick(self.place(value), text(round(value, 9))) for value in values if value <= self._high + 1e-9)
