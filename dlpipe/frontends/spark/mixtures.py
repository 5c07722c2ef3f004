"""GaussianMixtureModel: how much each distribution has of a point."""

from __future__ import annotations

from typing import Any

import numpy as np

from .reading import Array, SavedStage, matrix, vector
from .scope import Scope

EPSILON = 2.0**-52  # that Spark adds to every density


def mixture(scope: Scope, stage: SavedStage) -> None:
    row, uid = stage.row(), stage.uid
    means = [vector(each) for each in row["mus"]]
    column = scope.number(stage, str(stage.param("featuresCol", "features")), len(means[0]))
    axes = scope.graph.constant(np.array([1], np.int64), f"{uid}/axis")
    densities = []
    for index, (weight, mean, sigma) in enumerate(zip(row["weights"], means, row["sigmas"], strict=True)):
        root, log = _root(matrix(sigma))
        name = f"{uid}/{index}"
        moved = scope.node("Sub", [column.value, scope.constant(mean, f"{name}/mean")], f"{name}/moved")
        white = scope.node("MatMul", [moved, scope.constant(root.T, f"{name}/root")], f"{name}/white")
        square = scope.node("ReduceSumSquare", [white, axes], f"{name}/square")
        half = scope.node("Mul", [square, scope.constant([-0.5], f"{name}/half")], f"{name}/exponent")
        raised = scope.node(
            "Exp", [scope.node("Add", [half, scope.constant([log], f"{name}/log")], f"{name}/sum")], name
        )
        scaled = scope.node("Mul", [raised, scope.constant([float(weight)], f"{name}/weight")], f"{name}/share")
        densities.append(scope.node("Add", [scaled, scope.constant([EPSILON], f"{name}/least")], f"{name}/density"))
    each = scope.node("Concat", densities, f"{uid}/densities", axis=1)
    total = scope.node("ReduceSum", [each, axes], f"{uid}/total")
    shares = scope.node("Div", [each, total], f"{uid}/probability")
    scope.put(str(stage.param("probabilityCol", "probability")), shares, len(means))
    best = scope.node("ArgMax", [shares], f"{uid}/best", axis=1)
    scope.put(stage.text("predictionCol"), scope.node("Cast", [best], f"{uid}/prediction", to=11), 1)


def _root(sigma: Array) -> tuple[Any, float]:
    """A root of the inverse, and the logarithm of the density in the middle. Directions in which nothing varies are
    left out, as Spark leaves them out."""
    values, vectors = np.linalg.eigh(sigma)
    least = EPSILON * values.max() * len(values)
    kept = values > least
    inverse = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1)), 0)
    log = -0.5 * (len(values) * np.log(2 * np.pi) + np.log(values[kept]).sum())
    return inverse[:, None] * vectors.T, float(log)
