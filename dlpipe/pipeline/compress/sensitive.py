"""Which nodes a pass costs most: measured once, and the store remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.json import digest
from dlpipe.passes.recipes import Recipe, Step, params_for
from dlpipe.passes.registry import pass_info, sensitivity_call
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.compress.space import SENSITIVE
from dlpipe.pipeline.stage import Stage


def named(ground: Ground, recipe: Recipe) -> Recipe:
    """With the nodes named, where a step says how many of the most sensitive ones shall stay as they are. As it is
    where nothing can be measured of them; the pass itself then says what is wrong."""
    steps = [
        step.model_copy(update={"params": {**step.params, "keep": _most(ground, step, count)}})
        if (count := _wanted(step.params))
        else step
        for step in recipe.steps
    ]
    return recipe.model_copy(update={"steps": steps})


def _wanted(params: Mapping[str, Any]) -> int:
    keep = params.get("keep")
    return int(keep[SENSITIVE]) if isinstance(keep, Mapping) else 0


def _most(ground: Ground, step: Step, count: int) -> list[str]:
    target = ground.request.quantised_for
    options = target.options.get("quantisation", {}) if target is not None else {}
    params = {key: value for key, value in params_for(step, options).items() if key != "keep"}
    inputs = {"ir": ground.ir, "samples": ground.rank.calibration}
    if "train" in pass_info(step.name).needs and ground.rank.train is not None:
        inputs |= {"train": ground.rank.train, "teacher": ground.ir}
    call = sensitivity_call(step.name, **params)
    stage = Stage(f"sensitivity:{step.name}:{digest(params)[:8]}", "measure", call, inputs, required=False)
    value = ground.session.executor.run([stage])[stage.id].value
    return [each["node"] for each in value["nodes"][:count]] if value else []
