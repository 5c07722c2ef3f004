"""Which method finds the ranges: tried on the samples, where that is left to us."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from . import ranges
from .extremes import Extremes
from .insert import Levels

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Choice:
    """The method for what layers make, and that for the entrances, through which the samples come in."""

    inside: str
    entrances: str

    def __str__(self) -> str:
        return self.inside if self.inside == self.entrances else f"{self.inside}; {self.entrances} for what comes in"


@dataclass(frozen=True, slots=True)
class Finder:
    """seen: what is known of each tensor. entrances: those through which samples come in, whose distribution is not
    that of what layers make. zero_points: whether zero may be any level; else it is the first one, of what is never
    negative, or the middle one (`insert.Style`)."""

    seen: Mapping[str, Extremes]
    entrances: Collection[str]
    percentile: float
    symmetric: bool
    zero_points: bool

    def levels(self, choice: Choice) -> dict[str, Levels]:
        ways = {name: choice.entrances if name in self.entrances else choice.inside for name in self.seen}
        ends = {name: self._range(name, way) for name, way in ways.items()}
        return {name: Levels(*ranges.grid(low, high)) for name, (low, high) in ends.items()}

    def nearest(self, measure: Callable[[Mapping[str, Levels]], float]) -> Choice:
        """The method whose model is nearest to the float one, by `measure` (the more, the nearer); then the same for
        the entrances. Of those that histograms have an answer for: means of extremes clip too much to be near."""
        inside = _best({way: Choice(way, way) for way in ranges.OF_HISTOGRAMS}, self.levels, measure)
        if not self.entrances:
            return inside
        return _best({way: Choice(inside.inside, way) for way in ranges.OF_HISTOGRAMS}, self.levels, measure)

    def _range(self, name: str, way: str) -> tuple[float, float]:
        seen = self.seen[name]
        symmetric = self.symmetric or (not self.zero_points and seen.low < 0)
        return ranges.choose(seen, way, percentile=self.percentile, symmetric=symmetric)


def _best(
    choices: Mapping[str, Choice],
    levels: Callable[[Choice], dict[str, Levels]],
    measure: Callable[[Mapping[str, Levels]], float],
) -> Choice:
    figures = {choice: measure(levels(choice)) for choice in choices.values()}
    return max(figures, key=lambda choice: figures[choice])
