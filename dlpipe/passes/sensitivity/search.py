"""The smallest set of nodes that has to stay in float, found in some log2(n) evaluations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .figures import Figures, Limit

Keep = frozenset[str]
Measure = Callable[[Keep], Figures]


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes that are lowered together, or not. loss: a guess of what lowering them costs; the more, the sooner they
    are kept. Only the order of the losses matters."""

    name: str
    nodes: tuple[str, ...]
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """`figures` were measured with just `kept` in float. met: whether they hold the limit; where not even all groups in
    float do, these are what is returned."""

    kept: tuple[Group, ...]
    figures: Figures
    met: bool
    evaluations: int

    @property
    def nodes(self) -> Keep:
        return _nodes(self.kept)


def smallest_keep(
    groups: Sequence[Group], measure: Measure, limit: Limit, *, refine: bool = True, forced: Keep = frozenset()
) -> Found:
    """The fewest groups, by loss, that have to stay in float for the outputs to hold `limit`.

    Bisects on the length of the list of groups sorted by loss, where keeping more is taken to be no worse: 2 + log2(n)
    evaluations. `refine` then releases what the order had in the list without need, in at most 2 * log2(n) + 2
    further ones. Whatever is returned has been measured, so the guess and the monotony cost size, never truth.
    `forced` are nodes that stay in float in any case.
    """
    ordered = sorted(groups, key=lambda group: (-group.loss, group.name))
    seen: dict[Keep, Figures] = {}

    def judged(kept: Sequence[Group]) -> Figures:
        key = _nodes(kept) | forced
        if key not in seen:
            seen[key] = measure(key)
        return seen[key]

    if limit.holds(judged([])):
        return Found((), judged([]), True, len(seen))
    if not limit.holds(judged(ordered)):
        return Found(tuple(ordered), judged(ordered), False, len(seen))
    low, high = 0, len(ordered)  # too few, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if limit.holds(judged(ordered[:middle])) else (middle, high)
    kept = ordered[:high]
    if refine:
        kept = _released(kept, lambda some: limit.holds(judged(some)), len(seen) + 2 * _log2(len(kept)) + 2, seen)
    return Found(tuple(kept), judged(kept), True, len(seen))


def _released(
    kept: list[Group], holds: Callable[[list[Group]], bool], most: int, seen: dict[Keep, Figures]
) -> list[Group]:
    """Try to do without all but the last (it was what made the limit hold), then without the halves of what is
    needed, and so on."""
    waiting = [kept[:-1]] if len(kept) > 1 else []
    while waiting and len(seen) < most:
        chunk = waiting.pop(0)
        without = [group for group in kept if group not in chunk]
        if holds(without):
            kept = without
        elif len(chunk) > 1:
            middle = len(chunk) // 2
            waiting += [chunk[middle:], chunk[:middle]]
    return kept


def one_by_one(
    groups: Sequence[Group], measure: Measure, *, keep_others: bool = True, progress: Callable[[float], None]
) -> list[Figures]:
    """Per group: the outputs with only that group lowered; with keep_others=False, with all but that group lowered.
    n evaluations."""
    every = _nodes(groups)
    found = []
    for done, group in enumerate(groups, 1):
        found.append(measure(every - frozenset(group.nodes) if keep_others else frozenset(group.nodes)))
        progress(done / len(groups))
    return found


def _nodes(groups: Sequence[Group]) -> Keep:
    return frozenset(name for group in groups for name in group.nodes)


def _log2(count: int) -> int:
    return math.ceil(math.log2(max(count, 1)))
