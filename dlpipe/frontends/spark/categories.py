"""Values that stand for categories: VectorIndexer numbers them, trees split by sets of the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .reading import SavedStage
from .scope import Column, Scope

_NONE = float("nan")  # fills lists up to one length: it equals nothing


def index(scope: Scope, stage: SavedStage) -> None:
    """VectorIndexerModel: each value of a categorical feature becomes its number; the other features stay."""
    invalid = str(stage.param("handleInvalid", "error"))
    if invalid == "skip":
        raise stage.refuse("it leaves out rows with unknown values")
    row = stage.row()
    width = int(row["numFeatures"])
    maps = {int(feature): dict(values) for feature, values in dict(row["categoryMaps"]).items()}
    column = scope.number(stage, stage.text("inputCol"), width)
    if not maps:
        scope.put(stage.text("outputCol"), scope.node("Identity", [column.value], stage.uid), width)
        return
    features = sorted(maps)
    if features[0] < 0 or features[-1] >= width:
        raise Refused(f"it numbers the feature {features[-1]} of {width}", node=stage.uid, op=stage.kind)
    pairs = [sorted(maps[each].items(), key=lambda pair: pair[1]) for each in features]
    for feature, known in zip(features, pairs, strict=True):
        scope.tell(column, feature, [value for value, _ in known])
    same = _same(scope, stage.uid, column, features, [[value for value, _ in each] for each in pairs])
    # What is not among them: one number more where it is kept, else an error in Spark, and -1 here.
    instead = [[float(len(each)) if invalid == "keep" else -1.0] for each in pairs]
    above = _filled([[number - other[0] for _, number in each] for each, other in zip(pairs, instead, strict=True)], 0)
    axes = scope.graph.constant(np.array([2], np.int64), f"{stage.uid}/axis")
    product = scope.node("Mul", [same, scope.constant(above[None], f"{stage.uid}/numbers")], f"{stage.uid}/product")
    total = scope.node("ReduceSum", [product, axes], f"{stage.uid}/total", keepdims=0)
    offset = scope.constant(np.array(instead).T, f"{stage.uid}/unknown")
    numbered = scope.node("Add", [total, offset], f"{stage.uid}/numbered")
    both = scope.node("Concat", [column.value, numbered], f"{stage.uid}/both", axis=1)
    order = list(range(width))
    for place, feature in enumerate(features):
        order[feature] = width + place
    places = scope.graph.constant(np.array(order, np.int64), f"{stage.uid}/order")
    scope.put(stage.text("outputCol"), scope.node("Gather", [both, places], stage.uid, axis=1), width)


def members(scope: Scope, uid: str, column: Column, sets: Sequence[tuple[int, Sequence[float]]]) -> str:
    """[N, sets]: 1 where the feature's value is in the set, else 0. sets: (feature, values)."""
    same = _same(scope, uid, column, [feature for feature, _ in sets], [values for _, values in sets])
    axes = scope.graph.constant(np.array([2], np.int64), f"{uid}/set-axis")
    return scope.node("ReduceMax", [same, axes], f"{uid}/members", keepdims=0)


def _same(scope: Scope, uid: str, column: Column, features: Sequence[int], values: Sequence[Sequence[float]]) -> str:
    """[N, features, values]: 1.0 where the feature has that value."""
    places = scope.graph.constant(np.array(features, np.int64), f"{uid}/features")
    picked = scope.node("Gather", [column.value, places], f"{uid}/picked", axis=1)
    axes = scope.graph.constant(np.array([2], np.int64), f"{uid}/new-axis")
    spread = scope.node("Unsqueeze", [picked, axes], f"{uid}/spread")
    known = scope.constant(_filled(values, _NONE)[None], f"{uid}/known")
    return scope.node("Cast", [scope.node("Equal", [spread, known], f"{uid}/equal")], f"{uid}/same", to=11)


def _filled(rows: Sequence[Sequence[float]], filler: float) -> Any:
    found = np.full((len(rows), max(1, *map(len, rows))), filler)
    for index, row in enumerate(rows):
        found[index, : len(row)] = row
    return found
