"""OneVsRestModel: a binary classifier for each class; the one that is surest wins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from dlpipe_worker import Refused

from .features import Handler
from .reading import SavedStage, load
from .scope import Scope


def one_vs_rest(scope: Scope, stage: SavedStage, predictors: Mapping[str, Handler]) -> None:
    """predictors: what a class's own classifier may be."""
    classes = int(stage.about["numClasses"])
    if not 1 < classes <= 10_000:
        raise Refused(f"it has {classes} classes", node=stage.uid, op=stage.kind)
    scores = []
    for number in range(classes):
        ((inner,), _) = load(stage.path / f"model_{number}")
        handler = predictors.get(inner.kind)
        if handler is None:
            raise stage.refuse(f"the classifier {inner.kind}")
        features = str(stage.param("featuresCol", "features"))
        handler(scope, SavedStage(inner.kind, f"{stage.uid}/{number}", inner.path, _own(inner, features), inner.about))
        raw = scope.columns.pop("rawPrediction")
        place = scope.graph.constant(np.array([1], np.int64), f"{stage.uid}/{number}/place")
        scores.append(scope.node("Gather", [raw.value, place], f"{stage.uid}/{number}/score", axis=1))
    scope.produced = [name for name in scope.produced if name in scope.columns]
    table = scope.node("Concat", scores, f"{stage.uid}/raw", axis=1)
    best = scope.node("ArgMax", [table], f"{stage.uid}/best", axis=1)
    scope.put(stage.text("predictionCol"), scope.node("Cast", [best], f"{stage.uid}/prediction", to=11), 1)


def _own(inner: SavedStage, features: str) -> dict[str, object]:
    """Its columns are nobody's but this stage's."""
    return {
        **inner.params, "featuresCol": features, "rawPredictionCol": "rawPrediction", "predictionCol": "prediction"
    }  # fmt: skip
