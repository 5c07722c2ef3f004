"""One candidate: made, measured on the part of the data that ranks, timed, and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from dlpipe.errors import Unsupported
from dlpipe.passes.recipes import Recipe
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.bisect.in_stages import of_stages
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.compress import judge
from dlpipe.pipeline.compress.figures import Made, Timing, figures, time_against_base, time_once, time_once_more
from dlpipe.pipeline.compress.ground import FINAL, RANKED, Ground
from dlpipe.pipeline.compress.sensitive import named
from dlpipe.pipeline.variants import Variant, make_variant, settle
from dlpipe.report.compression import Applied, Figures, Tried

NOTHING_TO_DO = "nothing in this model for it to do"
TIME_UP = "not made when the time was up (--budget)"
_CHANGES = 6

Verdict = Literal["meets", "no-gain", "breaks", "failed"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What was tried, and what it left in the store."""

    tried: Tried
    variant: Variant


def base_figures(ground: Ground, at: str = RANKED) -> Figures:
    """Of the uncompressed model. It is timed beside each candidate, and by itself only where a limit asks for that."""
    request = ground.request
    timing = None
    if request.timed_here and (request.limits.max_latency is not None or request.limits.max_memory is not None):
        timing = time_against_base(ground, {})["base"]
    return figures(ground, ground.ir, at, timing=timing, untimed="it is what the others are compared with")


def attempt(
    ground: Ground, number: int, recipe: Recipe, before: Sequence[Candidate] = (), seconds: float | None = None
) -> Candidate:
    """Never raises for what the candidate does: that is its verdict. One of those `before` where the same comes of it,
    to be judged alike. seconds: it fails where making it takes longer."""
    started = time.monotonic()
    target, outcomes = ground.request.quantised_for, ground.session.executor.outcomes
    with ground.session.executor.within(seconds):
        recipe = named(ground, recipe)
        variant = make_variant(recipe, ground.rank, ir=ground.ir, target=target)
        variant = settle(ground.session, variant, ground.rank, ir=ground.ir, target=target)
    about: dict[str, Any] = {
        "number": number,
        "recipe": recipe.name,
        "left_out": dict(variant.left_out),
        "steps": _steps(ground, variant),
    }
    for name in (variant.ir, f"run:{variant.ir}"):
        if name in outcomes and outcomes[name].status != "ok":
            late = seconds is not None and time.monotonic() - started >= seconds
            why = f"{TIME_UP}: stopped after {seconds:.0f} s" if late else outcomes[name].reason
            return Candidate(Tried(**about, verdict="failed", reason=why), variant)
    if variant.ir == ground.ir or ground.tree(variant.ir) == ground.tree(ground.ir):
        return Candidate(Tried(**about, verdict="failed", reason=NOTHING_TO_DO), variant)
    for each in before:
        if each.tried.digest == ground.tree(variant.ir) and _judged(each.variant.recipe) == _judged(recipe):
            return each
    found = _measured(ground, variant, "", time_once)
    verdict, why = verdict_on(ground, found)
    departs = of_stages(ground.session, [variant.ir]).get(variant.ir) if verdict == "breaks" else None
    if departs is not None:
        why = f"{why}; {departs.said}"
    tried = Tried(
        **about, figures=found, verdict=verdict, reason=why, digest=ground.tree(variant.ir), departs_at=departs
    )
    return Candidate(tried, variant)


def _judged(recipe: Recipe) -> tuple[str, str]:
    return recipe.precision, recipe.judged_as


def finally_measured(ground: Ground, candidate: Candidate) -> Figures:
    """On the part of the data that took no part in the choice, and timed anew."""
    variant = candidate.variant
    ground.session.executor.run(check_ir(variant.ir, variant.recipe.judged_as, ground.final, at=FINAL))
    return _measured(ground, variant, FINAL, time_once_more)


def _untimed(ground: Ground, stage: str, at: str) -> Figures:
    target = ground.request.target
    assert target is not None
    return figures(ground, stage, at, untimed=f"{target.name} is not this machine: its speed is unknown here")


def _measured(ground: Ground, variant: Variant, at: str, time: Callable[[Ground, Made], Timing]) -> Figures:
    if not ground.request.timed_here:
        return _untimed(ground, variant.ir, at)
    try:
        timing = time(ground, (variant.ir, variant.recipe))
    except Unsupported as error:
        return figures(ground, variant.ir, at, untimed=error.message)
    return figures(ground, variant.ir, at, timing=timing)


def verdict_on(ground: Ground, found: Figures) -> tuple[Verdict, str | None]:
    """(verdict, why it is not "meets"). To keep a limit that the uncompressed model breaks is a gain."""
    request = ground.request
    why = judge.broken(found, request.limits, request.gate_confidence)
    if why is not None:
        return "breaks", why
    base = base_figures(ground)
    if judge.broken(base, replace(request.limits, min_speedup=None), None) is not None:
        return "meets", None
    why = judge.no_gain(found, base, request.minimised)
    return ("no-gain", why) if why is not None else ("meets", None)


def _steps(ground: Ground, variant: Variant) -> tuple[Applied, ...]:
    outcomes = ground.session.executor.outcomes
    made = []
    for step, link in zip(variant.steps, variant.links, strict=True):
        defaults = pass_info(step.name).defaults
        params = {
            key: value
            for key, value in link.call.params.items()
            if key != "pass" and (key not in defaults or defaults[key] != value)
        }
        value = outcomes[link.id].value or {}
        made.append(
            Applied(name=step.name, params=params, changes=tuple(map(str, value.get("changes", ())))[:_CHANGES])
        )
    return tuple(made)
