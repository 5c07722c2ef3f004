"""The variants of a model: what recipes make of the optimised IR, each step a stage that is checked like any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlpipe.contracts.backend import Target
from dlpipe.errors import UserError
from dlpipe.passes.recipes import Recipe, Step, params_for
from dlpipe.passes.registry import pass_call, pass_info
from dlpipe.pipeline.checks import check_ids, check_ir
from dlpipe.pipeline.parts import in_parts
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage

_SHORT = {"int7": "s7", "int8": "s8", "uint8": "u8"}

NO_DATA = "there is no data to train on"


@dataclass(frozen=True, slots=True)
class Variant:
    """ir: id of the stage that holds what the recipe makes. steps: those of the recipe that are taken, and links: the
    stage of each; `stages` has their checks too. left_out: optional steps that refused the model -> why."""

    recipe: Recipe
    ir: str
    steps: tuple[Step, ...]
    links: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def make_variant(recipe: Recipe, samples: Samples, *, ir: str, target: Target | None = None) -> Variant:
    """The stages that make it from the stage `ir`; nothing is executed yet.

    Raises UserError where a step wants data to train on, and there is none.
    """
    lacking = {step.name: NO_DATA for step in recipe.steps if step.optional and _lacks_data(step, samples)}
    steps = tuple(step for step in recipe.steps if step.name not in lacking)
    return _chain(recipe, steps, lacking, samples, ir, target)


def settle(session: Session, variant: Variant, samples: Samples, *, ir: str, target: Target | None = None) -> Variant:
    """Execute it. Where an optional step refuses the model, it is left out and said so; what failed otherwise is told
    by the outcomes of its stages."""
    executor = session.executor
    while True:
        executor.run(variant.stages)
        failed = next((link for link in variant.links if _why_not(executor.outcomes, link)), None)
        if failed is None:
            return variant
        number = variant.links.index(failed)
        step = variant.steps[number]
        if not step.optional:
            return variant
        left_out = {**variant.left_out, step.name: _why_not(executor.outcomes, failed) or "it failed"}
        executor.forget(name for link in variant.links for name in (link.id, *check_ids(link.id)))
        steps = (*variant.steps[:number], *variant.steps[number + 1 :])
        variant = _chain(variant.recipe, steps, left_out, samples, ir, target)


def _chain(
    recipe: Recipe,
    steps: tuple[Step, ...],
    left_out: Mapping[str, str],
    samples: Samples,
    ir: str,
    target: Target | None,
) -> Variant:
    options = target.options.get("quantisation", {}) if target is not None else {}
    chosen = [params_for(step, options) for step in steps]
    name = recipe.name + _numbers(steps, chosen)
    made, exact = ir, True
    links: list[Stage] = []
    stages: list[Stage] = []
    for number, (step, params) in enumerate(zip(steps, chosen, strict=True), 1):
        exact = exact and pass_info(step.name).exact
        link = Stage(
            name if number == len(steps) else f"{name}:{number}-{step.name}",
            "pass",
            pass_call(step.name, **params),
            _inputs(recipe, step, samples, made, ir),
            required=False,
        )
        *parts, link = in_parts(link)
        links.append(link)
        stages += [*parts, link, *check_ir(link.id, "fp32" if exact else recipe.judged_as, samples)]
        made = link.id
    return Variant(recipe, made, steps, tuple(links), tuple(stages), left_out)


def _why_not(outcomes: Mapping[str, Outcome], link: Stage) -> str | None:
    """Why that step, or a part of it, failed; None where it did not, or what was before it did."""
    while True:
        outcome = outcomes[link.id]
        if outcome.status == "failed":
            return outcome.reason or "it failed"
        if outcome.status == "ok" or "state" not in outcome.stage.inputs:
            return None
        link = outcomes[outcome.stage.inputs["state"]].stage


def _lacks_data(step: Step, samples: Samples) -> bool:
    return "train" in pass_info(step.name).needs and samples.train is None


def _inputs(recipe: Recipe, step: Step, samples: Samples, made: str, ir: str) -> dict[str, str]:
    given = {"samples": samples.calibration, "train": samples.train, "teacher": ir}
    inputs = {"ir": made}
    for need in pass_info(step.name).needs:
        if need not in given:
            raise UserError(f"the pass {step.name} needs {need!r}, which a recipe does not give")
        source = given[need]
        if source is None:
            raise UserError(
                f"the recipe {recipe.name} trains ({step.name}), and {NO_DATA}",
                hint="give --data, of which a part is kept for training, or --train-data",
            )
        inputs[need] = source
    return inputs


def _numbers(steps: tuple[Step, ...], chosen: list[dict[str, Any]]) -> str:
    """`-u8s8` for unsigned activations and signed weights: two targets may want different ones of one recipe."""
    for step, params in zip(steps, chosen, strict=True):
        every = {**pass_info(step.name).defaults, **params}
        if every.get("activations") in _SHORT and every.get("weights") in _SHORT:
            per_tensor = "" if every.get("per_channel", True) else "-per-tensor"
            whole = "-whole" if every.get("whole") else ""
            centred = "" if every.get("zero_points", True) else "-without-zero-points"
            return f"-{_SHORT[every['activations']]}{_SHORT[every['weights']]}{per_tensor}{whole}{centred}"
    return ""
