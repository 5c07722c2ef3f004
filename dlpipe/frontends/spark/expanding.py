"""Stages that make more values out of some: products of features, frequencies, weights of terms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .reading import SavedStage
from .scope import Scope

MAX_PRODUCTS = 1 << 20


def polynomial(scope: Scope, stage: SavedStage) -> None:
    """All products of up to `degree` features, in Spark's order: as for the features before the last, with ever higher
    powers of the last."""
    column, degree = scope.number(stage, stage.text("inputCol")), int(stage.param("degree", 2))
    if degree < 1 or math.comb(column.width + degree, degree) > MAX_PRODUCTS:
        raise stage.refuse(f"the degree {degree} of {column.width} features")
    one = column.width  # a column of ones behind the features fills products up
    rows = [list(each) + [one] * (degree - len(each)) for each in _products(column.width - 1, degree) if each]
    zero = scope.node("Mul", [column.value, scope.constant([0.0], f"{stage.uid}/zero")], f"{stage.uid}/zeros")
    ones = scope.node("Cos", [_first(scope, stage, zero)], f"{stage.uid}/ones")
    wide = scope.node("Concat", [column.value, ones], f"{stage.uid}/wide", axis=1)
    places = scope.graph.constant(np.array(rows, np.int64), f"{stage.uid}/places")
    factors = scope.node("Gather", [wide, places], f"{stage.uid}/factors", axis=1)
    axes = scope.graph.constant(np.array([2], np.int64), f"{stage.uid}/axis")
    scope.put(stage.text("outputCol"), scope.node("ReduceProd", [factors, axes], stage.uid, keepdims=0), len(rows))


def _first(scope: Scope, stage: SavedStage, value: str) -> str:
    place = scope.graph.constant(np.array([0], np.int64), f"{stage.uid}/first-place")
    return scope.node("Gather", [value, place], f"{stage.uid}/first", axis=1)


def _products(last: int, degree: int) -> Iterator[tuple[int, ...]]:
    """The features of each product; the empty one first."""
    if degree == 0 or last < 0:
        yield ()
        return
    for power in range(degree + 1):
        for rest in _products(last - 1, degree - power):
            yield (*rest, *[last] * power)


def cosine(scope: Scope, stage: SavedStage) -> None:
    """DCT: the orthonormal transform of type II, or its inverse."""
    name = stage.text("inputCol")
    width = scope.number(stage, name).width
    turned = _cosines(width)
    matrix = turned if stage.param("inverse", False) else turned.T
    value = scope.node("MatMul", [scope.columns[name].value, scope.constant(matrix, f"{stage.uid}/cosines")], stage.uid)
    scope.put(stage.text("outputCol"), value, width)


def _cosines(size: int) -> Any:
    """Row k: the k-th frequency."""
    k, n = np.mgrid[0:size, 0:size]
    found = np.cos(np.pi * (n + 0.5) * k / size) * np.sqrt(2 / size)
    found[0] /= np.sqrt(2)
    return found
