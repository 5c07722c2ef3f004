"""How much a channel matters."""

from typing import Any, TypeAlias

import numpy as np

from ..graph import affine
from ..graph.infra import constant
from .following import Product, Traced
from .groups import Group
from .units import Labels

# Pairs of the labels of some channels and one number for each of them.
Scores: TypeAlias = list[tuple[Labels, Any]]
BY_WEIGHTS = ("l1", "l2")


def by_weights(traced: Traced, criterion: str) -> Scores:
    """The norm of the filter that makes a channel (Li et al. 2017), times the scale of a batch norm behind it; of l2
    the square, so that layers add up."""
    power = {"l1": 1, "l2": 2}[criterion]
    scores = []
    for product in traced.products:
        array = np.abs(np.asarray(constant(product.weight), np.float64)) ** power
        others = tuple(axis for axis in range(array.ndim) if axis != product.out)
        norms = array.sum(axis=others) * _scale_behind(product, array.shape[product.out]) ** power
        scores.append((traced.made_by(product), norms))
    return scores


def _scale_behind(product: Product, channels: int) -> Any:
    """By which a batch norm that alone reads the product multiplies each channel."""
    made = product.node.outputs[0]
    readers = list(made.consumers())
    if len(readers) == 1 and readers[0].op_type == "BatchNormalization" and made.shape is not None:
        found = affine.read(readers[0], made, rank=len(made.shape), axis=1, channels=channels)
        if found is not None:
            return np.abs(found.scale)
    return 1.0


def of_units(traced: Traced, groups: list[Group], scores: Scores) -> list[Any]:
    """Per group one number for each unit: the sum over all channels that belong to it."""
    sums = np.zeros(1 + max(unit for group in groups for unit in group.units))
    for labels, numbers in scores:
        roots = traced.units.roots(labels)
        ours = roots < len(sums)
        np.add.at(sums, roots[ours], numbers[ours])
    return [sums[group.units] for group in groups]
