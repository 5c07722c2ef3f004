"""The candidates as a backend compiles them, where the user names one: it is the artefact then that is timed."""

from __future__ import annotations

from dlpipe.errors import Unsupported
from dlpipe.ir.calls import time_call
from dlpipe.passes.recipes import Recipe
from dlpipe.pipeline.artifacts import Candidate, build
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.timing import Timed


def timed(ground: Ground, name: str, stage: str, recipe: Recipe) -> Timed:
    """What is timed of the IR that `stage` made by `recipe`: itself on ONNX Runtime, or the artefact made of it.

    Raises Unsupported where the backend cannot take it, or what it made did not run here.
    """
    samples = ground.session.executor.outcomes[ground.rank.timing].output
    if ground.request.backend is None:
        return Timed(name, time_call(), {"ir": ground.tree(stage), "samples": samples})
    tool, target = ground.request.backend, ground.request.target
    assert target is not None
    if recipe.precision not in tool.variants(target) or tool.ir_variant(recipe.precision) != recipe.precision:
        raise Unsupported(f"{tool.name} reads no {recipe.precision} model for {target.name}")
    candidate = Candidate(target, tool, recipe.precision, recipe)
    [built] = build(ground.session, [candidate], ground.rank, {candidate.ir_name: stage})
    made, outcomes = built.candidate, ground.session.executor.outcomes
    if made.missing or made.refusals:
        raise Unsupported(made.missing or "; ".join(map(str, made.refusals)))
    call = tool.timing_call(target, made.variant)
    ran = outcomes.get(f"run:{made.id}")
    if call is None or ran is None or ran.status != "ok":
        raise Unsupported(f"{tool.name} made nothing that runs here: {ran.reason if ran is not None else 'no run'}")
    return Timed(name, call, {"artifact": ground.tree(made.shipped), "samples": samples})
