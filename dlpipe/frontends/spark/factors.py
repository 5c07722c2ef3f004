"""Factorisation machines: a linear model, and an inner product for every two features."""

from __future__ import annotations

import numpy as np

from .reading import SavedStage, matrix, vector
from .scope import Scope


def margin(scope: Scope, stage: SavedStage) -> str:
    """b + w x + sum over pairs of <v_i, v_j> x_i x_j = b + w x + (|x V|^2 - x^2 |V|^2) / 2"""
    row, uid = stage.row(), stage.uid
    weights, factors = vector(row["linear"]), matrix(row["factors"])
    column = scope.number(stage, str(stage.param("featuresCol", "features")), len(weights))
    axes = scope.graph.constant(np.array([1], np.int64), f"{uid}/axis")
    linear = scope.node("MatMul", [column.value, scope.constant(weights[:, None], f"{uid}/weights")], f"{uid}/linear")
    mixed = scope.node("MatMul", [column.value, scope.constant(factors, f"{uid}/factors")], f"{uid}/mixed")
    both = scope.node("ReduceSumSquare", [mixed, axes], f"{uid}/all-pairs")
    squares = scope.node("Mul", [column.value, column.value], f"{uid}/squares")
    lengths = scope.constant((factors**2).sum(1)[:, None], f"{uid}/lengths")
    alone = scope.node("MatMul", [squares, lengths], f"{uid}/with-itself")
    pairs = scope.node("Sub", [both, alone], f"{uid}/twice")
    pairs = scope.node("Mul", [pairs, scope.constant([0.5], f"{uid}/half")], f"{uid}/pairs")
    total = scope.node("Add", [linear, pairs], f"{uid}/sum")
    return scope.node("Add", [total, scope.constant([float(row["intercept"])], f"{uid}/intercept")], f"{uid}/margin")
