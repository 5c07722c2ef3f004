"""Share out a budget: which units go, so that at most a given part of the multiply-accumulates is left."""

from dataclasses import dataclass
from math import ceil, gcd
from typing import Any

import numpy as np

from .groups import Group, Sizes


@dataclass(frozen=True, slots=True)
class Rounding:
    """Channel counts are multiples of `multiple`, and at least `least` (or all there are)."""

    multiple: int
    least: int

    def fewer(self, group: Group, kept: int) -> int | None:
        """The next smaller number of units that may be kept."""
        step = self._step(group)
        count = (kept - 1) // step * step
        return count if count >= max(1, ceil(self.least / group.width)) else None

    def more(self, group: Group, kept: int) -> int:
        """The next larger one."""
        step = self._step(group)
        return min((kept // step + 1) * step, len(group.units))

    def up_to(self, group: Group, share: float) -> int:
        """At least that share of the units."""
        step, units = self._step(group), len(group.units)
        return min(ceil(max(ceil(share * units - 1e-9), ceil(self.least / group.width)) / step) * step, units)

    def _step(self, group: Group) -> int:
        return self.multiple // gcd(self.multiple, group.width)


def relative_costs(scores: Any) -> Any:
    """[units kept] -> cost: the importance that is lost in parts of what is kept. So groups of other scale compare, and
    the cost grows the faster the less is left: of alike layers in a row all are cut evenly."""
    kept = np.concatenate([[0.0], np.cumsum(np.sort(scores)[::-1])])
    with np.errstate(divide="ignore", invalid="ignore"):
        costs = (kept[-1] - kept) / kept
    return np.where(np.isnan(costs), 0.0, costs)  # 0 / 0: a group without any importance


def absolute_costs(scores: Any) -> Any:
    """[units kept] -> cost: the importance that is lost, where scores have one scale in all groups."""
    return np.concatenate([[0.0], np.cumsum(np.sort(scores))])[::-1]


def uniform(groups: list[Group], width: float, rounding: Rounding) -> dict[int, int]:
    """{group: units kept}: the same share of each."""
    return {number: rounding.up_to(group, width) for number, group in enumerate(groups)}


def choose(sizes: Sizes, costs: list[Any], target: float, rounding: Rounding) -> dict[int, int]:
    """{group: units kept}. Step by step that group is cut which costs least for each multiply-accumulate that is
    saved, until at most `target` of them are left or no group can be cut further. A large last step may have saved more
    than was needed: then that is given back which cost most and still fits."""
    kept = {number: len(group.units) for number, group in enumerate(sizes.groups)}
    whole = left = sizes.macs(kept)
    while left > target * whole:
        candidates = []
        for number, group in enumerate(sizes.groups):
            fewer = rounding.fewer(group, kept[number])
            saved = 0 if fewer is None else sizes.saved(kept, number, fewer)
            if fewer is not None and saved > 0:
                cost = float(costs[number][fewer] - costs[number][kept[number]])
                candidates.append((cost / saved, number, fewer, saved))
        if not candidates:
            break
        _, number, kept[number], saved = min(candidates)
        left -= saved
    return _give_back(sizes, costs, kept, int(target * whole) - left, rounding)


def _give_back(sizes: Sizes, costs: list[Any], kept: dict[int, int], room: int, rounding: Rounding) -> dict[int, int]:
    """In place. `room`: multiply-accumulates that may be added."""
    while True:
        fitting = []
        for number, group in enumerate(sizes.groups):
            more = rounding.more(group, kept[number])
            added = sizes.saved({**kept, number: more}, number, kept[number])
            if more > kept[number] and added <= room:
                fitting.append((float(costs[number][kept[number]] - costs[number][more]), -number, more, added))
        if not fitting:
            return kept
        _, number, more, added = max(fitting)
        kept[-number] = more
        room -= added


def least_important(group: Group, scores: Any, kept: int) -> list[int]:
    """The units of that group that go; of equals those that come first."""
    order = np.argsort(scores, kind="stable")
    return [group.units[index] for index in order[: len(group.units) - kept]]
