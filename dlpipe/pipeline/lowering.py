"""What a backend wants done to the IR before it compiles it: exact passes, each a stage that is checked like any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.backend import Backend
from dlpipe.passes.recipes import Recipe
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.stage import Outcome, Stage


def lower(
    tool: Backend, recipe: Recipe, samples: Samples, *, ir: str, described: Outcome
) -> tuple[str, tuple[Stage, ...]]:
    """Returns (id of the stage that holds the IR to compile: `ir` itself where the backend takes it, the stages to
    execute). `ir` is what `recipe` made, and `described` is the outcome of describing `ir`."""
    if described.status != "ok":
        return ir, ()
    stages: list[Stage] = []
    for step in lowering_stages(tool, described.value, ir=ir, made=ir if recipe.steps else recipe.name):
        stages += [step, *check_ir(step.id, recipe.judged_as, samples)]
        ir = step.id
    return ir, tuple(stages)


def lowering_stages(tool: Backend, model: Mapping[str, Any], *, ir: str, made: str) -> list[Stage]:
    """The passes alone, each upon the one before it. `model` is what the describe operation says of the stage `ir`.

    The ids say what was done to `made`, `fp32+unroll+clean`, so that backends that want the same of the same IR share
    stages.
    """
    stages = []
    for step in tool.lowering(model):
        made = f"{made}+{step.label}"
        stages.append(Stage(made, "pass", pass_call(step.name, **step.params), {"ir": ir}, required=False))
        ir = made
    return stages
