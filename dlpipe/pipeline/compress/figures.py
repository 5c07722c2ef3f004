"""What a candidate measured, read from the outcomes of its stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.measurement import Accuracy, Fidelity
from dlpipe.passes.recipes import Recipe
from dlpipe.passes.recipes import recipe as find_recipe
from dlpipe.pipeline import report_costs as costs
from dlpipe.pipeline.compress.deployed import timed
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.timing import ORIGINAL, RUNTIME, Timed, measure_timing
from dlpipe.report.compression import Figures

Timing = Mapping[str, Any]


def figures(
    ground: Ground, stage: str, at: str, *, timing: Timing | None = None, untimed: str | None = None
) -> Figures:
    """Of the IR that `stage` made, on the samples of `at`. untimed: why there is no timing."""
    outcomes = ground.session.executor.outcomes

    def value(check: str) -> Any:
        outcome = outcomes.get(f"{check}:{stage}{at}")
        return outcome.value if outcome is not None and outcome.status == "ok" else None

    def why_not(check: str) -> str:
        outcome = outcomes.get(f"{check}:{stage}{at}")
        return outcome.reason or "not measured" if outcome is not None else "not measured"

    fidelity, accuracy = value("fidelity"), value("accuracy")
    if timing is not None and "error" in timing:
        untimed = f"it could not be timed: {timing['error']}"
    described = outcomes[f"describe:{stage}"]
    found = costs.speedups(timing, ground.session.machine)
    speedup = next((each for each in found if each.baseline == RUNTIME), None)
    unlabelled = None if ground.rank.labelled else ground.rank.unknown
    return Figures(
        accuracy=Accuracy.model_validate(accuracy) if accuracy else None,
        accuracy_reason=None if accuracy else unlabelled or why_not("accuracy"),
        fidelity=Fidelity.model_validate({"vs": ground.rank.kind, **fidelity}) if fidelity else None,
        fidelity_reason=None if fidelity else why_not("fidelity"),
        cost=costs.static(described.value if described.status == "ok" else None)
        | costs.latency(timing, absent=untimed),
        speedup=speedup,
        speedup_reason=None if speedup is not None else untimed or "not timed",
    )


Made = tuple[str, Recipe]  # the stage that holds an IR, and what made it


def time_against_base(ground: Ground, made: Mapping[str, Made]) -> dict[str, Timing]:
    """Name -> timing of that model, all interleaved with the uncompressed one, whose timing is `base`.

    Raises Unsupported where the backend that the user names cannot take one of them.
    """
    return _timings(ground, [timed(ground, name, stage, recipe) for name, (stage, recipe) in made.items()])


def time_once(ground: Ground, made: Made) -> Timing:
    """Of one candidate beside the uncompressed model."""
    return time_against_base(ground, {"candidate": made})["candidate"]


def time_once_more(ground: Ground, made: Made) -> Timing:
    """Of a candidate that was chosen for its speed among many: anew, and beside the original in its own framework, so
    that the luck by which it may have been chosen does not count."""
    imported = ground.proven.imported
    call = imported.frontend.timing_call(imported.sniffed, imported.options)
    candidates = [timed(ground, "chosen", *made)]
    if call is not None:
        inputs = {"source": imported.source.tree, "imported": ground.tree(imported.ir)}
        samples = ground.session.executor.outcomes[ground.rank.timing].output
        candidates.append(Timed(ORIGINAL, call, {**inputs, "samples": samples}))
    return _timings(ground, candidates)["chosen"]


def _timings(ground: Ground, candidates: list[Timed]) -> dict[str, Timing]:
    base = timed(ground, RUNTIME, ground.ir, find_recipe("fp32"))
    value = measure_timing(ground.session, [base, *candidates]).value
    found = {name: {**each, "date": value["date"]} for name, each in value["timed"].items()}
    return {"base": found.pop(RUNTIME), **found}
