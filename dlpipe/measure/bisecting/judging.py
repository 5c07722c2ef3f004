"""Whether a value inside a graph is the reference's, and in which layout."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compare import judge
from .rows import Figures

_MOST_AXES = 5  # of which all orders are tried


def comparable(reference: Sequence[Any], candidate: Sequence[Any]) -> bool:
    """Whether two values of the same name can mean the same: numbers of a kind."""
    pairs = list(zip(reference, candidate, strict=True))
    if not all(isinstance(each, np.ndarray) for pair in pairs for each in pair):
        return False
    return all(_kind(one) == _kind(other) for one, other in pairs)


def judged(
    reference: Sequence[Any],
    candidate: Sequence[Any],
    limits: Mapping[str, Any],
    resolution: Mapping[str, float] | None,
) -> tuple[Figures, tuple[int, ...] | None]:
    """(figures as of an output, the order of axes in which the candidate has the reference's value: None where it is
    the reference's own). One array of both for each sample."""
    shapes = [(a.shape, b.shape) for a, b in zip(reference, candidate, strict=True)]
    if all(one == other for one, other in shapes):
        return judge(reference, candidate, limits, resolution), None
    for order in _orders(shapes):
        moved = [each.transpose(order) for each in reference]
        figures = judge(moved, candidate, limits, resolution)
        if figures["passed"]:
            return figures, order
    first, other = next(pair for pair in shapes if pair[0] != pair[1])
    return {"passed": False, "reason": f"shape is {list(other)}, the reference's is {list(first)}"}, None


def _orders(shapes: Sequence[tuple[Any, Any]]) -> list[tuple[int, ...]]:
    """The orders of axes that lead from every reference's shape to the candidate's."""
    rank = len(shapes[0][0])
    if rank > _MOST_AXES or any(len(one) != rank or len(other) != rank for one, other in shapes):
        return []
    return [
        order
        for order in itertools.permutations(range(rank))
        if all(tuple(one[axis] for axis in order) == tuple(other) for one, other in shapes)
    ]


def _kind(array: Any) -> str:
    kind = array.dtype.kind
    return "f" if kind == "V" else "s" if kind in "OUS" else "i" if kind in "iu" else str(kind)
