"""Positions along the dims of tensors that are cut together.

A *unit* is a set of positions, in many tensors, that either all stay or all go. Each followed dim of a tensor holds one
unit number per position (its *labels*), so that every operator is a rearrangement of labels: a Concat appends them, a
Split slices them, an addition makes two of them one (`tie`), a Flatten repeats them.
"""

from typing import Any, TypeAlias

import numpy as np

FROZEN = 0  # the unit of all positions that must stay
Labels: TypeAlias = Any  # int64 [positions along the dim], or None: a dim that is not followed, and never cut


class Units:
    """Disjoint sets (union-find with path halving); the smallest number of a set names it, so FROZEN wins."""

    def __init__(self) -> None:
        self._parents = [FROZEN]
        self._joined: dict[int, tuple[int, str]] = {}  # a set's old name -> (its new name, why)

    def fresh(self, count: int) -> Labels:
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def root(self, unit: int) -> int:
        parents = self._parents
        while parents[unit] != unit:
            parents[unit] = parents[parents[unit]]
            unit = parents[unit]
        return unit

    def roots(self, labels: Labels) -> Labels:
        return np.array([self.root(int(unit)) for unit in labels], dtype=np.int64)

    def tie(self, one: Labels, other: Labels, reason: str) -> None:
        """Position by position one unit. What is tied to a dim that is not followed cannot be cut."""
        if one is None or other is None or len(one) != len(other):
            self.freeze(one, reason)
            self.freeze(other, reason)
            return
        for first, second in zip(one, other, strict=True):
            self._join(int(first), int(second), reason)

    def freeze(self, labels: Labels, reason: str) -> None:
        """`reason`: which node cannot be followed."""
        for unit in () if labels is None else labels:
            self._join(int(unit), FROZEN, reason)

    def _join(self, first: int, second: int, reason: str) -> None:
        low, high = sorted((self.root(first), self.root(second)))
        if low != high:
            self._parents[high] = low
            self._joined[high] = (low, reason)

    def why_frozen(self, unit: int) -> str | None:
        """The reason with which the unit's set came to those that must stay."""
        reason = None
        while unit != FROZEN and unit in self._joined:
            unit, reason = self._joined[unit]
        return reason if unit == FROZEN else None
