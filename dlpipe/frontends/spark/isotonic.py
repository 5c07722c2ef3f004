"""IsotonicRegressionModel: straight lines between the points that the fit has left, flat on both sides."""

from __future__ import annotations

import numpy as np
from dlpipe_worker import Refused

from .reading import SavedStage
from .scope import Scope


def isotonic(scope: Scope, stage: SavedStage) -> None:
    """As a sum: of each piece, its slope times how far x has come on it."""
    row, uid = stage.row(), stage.uid
    at, values = np.array(row["boundaries"], np.float64), np.array(row["predictions"], np.float64)
    if len(at) == 0 or len(at) != len(values) or (np.diff(at) < 0).any():
        raise Refused(f"{len(at)} boundaries and {len(values)} predictions", node=uid, op=stage.kind)
    column = scope.number(stage, str(stage.param("featuresCol", "features")))
    place = int(stage.param("featureIndex", 0)) if column.width > 1 else 0
    index = scope.graph.constant(np.array([place], np.int64), f"{uid}/feature")
    x = scope.node("Gather", [column.value, index], f"{uid}/x", axis=1)
    lengths = np.diff(at)
    if (lengths == 0).any():
        raise stage.refuse("two predictions for one value")
    zero, first = scope.constant([0.0], f"{uid}/zero"), scope.constant([values[0]], f"{uid}/first")
    if len(at) == 1:
        flat = scope.node("Mul", [x, zero], f"{uid}/flat")
        scope.put(stage.text("predictionCol"), scope.node("Add", [flat, first], f"{uid}/prediction"), 1)
        return
    come = scope.node("Sub", [x, scope.constant(at[None, :-1], f"{uid}/from")], f"{uid}/come")
    come = scope.node("Min", [come, scope.constant(lengths[None], f"{uid}/lengths")], f"{uid}/at-most")
    come = scope.node("Max", [come, zero], f"{uid}/at-least")
    slopes = scope.constant((np.diff(values) / lengths)[:, None], f"{uid}/slopes")
    rise = scope.node("MatMul", [come, slopes], f"{uid}/rise")
    scope.put(stage.text("predictionCol"), scope.node("Add", [rise, first], f"{uid}/prediction"), 1)
