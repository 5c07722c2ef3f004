"""A saved pipeline -> ONNX: an input for every column that no stage makes, an output for what the last stages give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit.emit import Graph
from ..kit.ports import BATCH
from .features import FEATURES
from .predictors import PREDICTORS
from .reading import SavedStage, load
from .scope import Scope

HANDLERS = {**FEATURES, **PREDICTORS}
_RESULTS = ("predictionCol", "probabilityCol")  # of a stage that predicts; raw scores are left out


def import_model(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, dims."""
    params = request.params
    stages, version = load(Path(request.inputs["source"], params["entry"]))
    scope = Scope(Graph("pipeline"), params["inputs"], params["dims"].get(BATCH, BATCH))
    for stage in stages:
        handler = HANDLERS.get(stage.kind)
        if handler is None:
            raise Refused(f"the stage {stage.kind} is not handled", kind="unsupported", node=stage.uid, op=stage.kind)
        request.progress(stage.kind)
        try:
            handler(scope, stage)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise Refused(
                f"the parameters of the stage are damaged: {error!r}", node=stage.uid, op=stage.kind
            ) from error
    for name in _wanted(scope, stages):
        _declare(scope, name)
    told = {
        "spark": version,
        "columns": [port["name"] for port in scope.graph.inputs],
        "choices": scope.choices,
        "categories": scope.categories,
    }
    return scope.graph.save(request.out, labels=scope.labels, metadata=told)


def _wanted(scope: Scope, stages: list[SavedStage]) -> list[str]:
    """What the last stage that predicts gives; of a pipeline of features alone, its last column."""
    for stage in reversed(stages):
        if stage.kind in PREDICTORS:
            given = [stage.param(each) for each in _RESULTS]
            return [str(name) for name in given if name in scope.produced]
    if not scope.produced:
        raise Refused("the pipeline makes no column")
    return scope.produced[-1:]


def _declare(scope: Scope, name: str) -> None:
    column, graph = scope.columns[name], scope.graph
    value = graph.node("Cast", [column.value], name=f"{name}/float", to=1)
    shape: list[int | str] = [scope.batch, column.width]
    if column.width == 1:
        axis = graph.constant(np.array([1], np.int64), f"{name}/axis")
        value, shape = graph.node("Squeeze", [value, axis], name=f"{name}/flat"), [scope.batch]
    graph.node("Identity", [value], name, name=name)
    graph.output(name, "float32", shape, name)
