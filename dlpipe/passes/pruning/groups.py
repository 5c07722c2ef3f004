"""Units that always appear together: the groups among which a budget is shared out."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from .following import Product, Traced
from .units import FROZEN


@dataclass(frozen=True, slots=True)
class Group:
    """`units`: roots in their order. `width`: positions of a unit among the channels of its layers (the least, where
    they differ): 1, or the number of groups of a grouped convolution. `layers`: names of the nodes that make them."""

    units: list[int]
    width: int
    layers: list[str]


def find_groups(traced: Traced) -> list[Group]:
    """Every followed dim of every tensor holds all units of a group or none, the same number of times each; so what is
    kept of a group decides sizes, whichever units they are. Units that no product makes are no candidates."""
    makers: dict[int, list[tuple[int, int]]] = defaultdict(list)  # root -> (product, positions among its channels)
    for number, product in enumerate(traced.products):
        for root, count in _counted(traced, product.weight, product.out).items():
            makers[root].append((number, count))
    seen: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, (value, axis) in enumerate(_dims(traced)):
        for root, count in _counted(traced, value, axis).items():
            seen[root].append((number, count))
    alike: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for root in sorted(makers):
        if root != FROZEN:
            alike[tuple(seen[root])].append(root)
    return [_group(traced, units, makers[units[0]]) for units in alike.values()]


def _group(traced: Traced, units: list[int], makers: list[tuple[int, int]]) -> Group:
    names = [str(traced.products[number].node.name) for number, _ in makers]
    return Group(units, min(count for _, count in makers), names)


def _dims(traced: Traced) -> list[tuple[ir.Value, int]]:
    return [
        (value, axis) for value, dims in traced.labels.items() for axis, each in enumerate(dims) if each is not None
    ]


def _counted(traced: Traced, value: ir.Value, axis: int) -> dict[int, int]:
    roots, counts = np.unique(traced.units.roots(traced.labels[value][axis]), return_counts=True)
    return dict(zip(roots.tolist(), counts.tolist(), strict=True))


class Sizes:
    """What a graph costs for given numbers of kept units: {group number: units kept}."""

    def __init__(self, traced: Traced, groups: list[Group]) -> None:
        self._owner = {unit: number for number, group in enumerate(groups) for unit in group.units}
        self.groups = groups
        self._terms = [self._term(traced, product) for product in traced.products]
        self._touched: dict[int, list[int]] = defaultdict(list)
        for number, (_, axes) in enumerate(self._terms):
            for group in {group for _, shares in axes for group in shares}:
                self._touched[group].append(number)

    def macs(self, kept: Mapping[int, int]) -> int:
        return sum(_count(term, kept) for term in self._terms)

    def saved(self, kept: Mapping[int, int], group: int, fewer: int) -> int:
        """By keeping `fewer` units of that group."""
        less = {**kept, group: fewer}
        return sum(_count(self._terms[each], kept) - _count(self._terms[each], less) for each in self._touched[group])

    def _term(self, traced: Traced, product: Product) -> tuple[int, list[tuple[int, dict[int, int]]]]:
        """(a factor, per axis that can be cut: positions that stay, and per group the positions of each unit)."""
        factor, axes = product.positions or 0, []
        for axis, labels in enumerate(traced.labels[product.weight]):
            shares = {}
            for root, count in _counted(traced, product.weight, axis).items():
                if root in self._owner:
                    shares[self._owner[root]] = count
            fixed = len(labels) - sum(len(self.groups[group].units) * count for group, count in shares.items())
            if shares:
                axes.append((fixed, shares))
            else:
                factor *= fixed
        return factor, axes


def _count(term: tuple[int, list[tuple[int, dict[int, int]]]], kept: Mapping[int, int]) -> int:
    factor, axes = term
    for fixed, shares in axes:
        factor *= fixed + sum(kept[group] * count for group, count in shares.items())
    return factor
