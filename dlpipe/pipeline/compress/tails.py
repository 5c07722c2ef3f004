"""Is it really faster here? Pass by pass: which of a candidate's last passes bring nothing beyond those before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlpipe.errors import Unsupported
from dlpipe.passes.recipes import Recipe, Step
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.compress.figures import time_against_base
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.compress.trial import Candidate
from dlpipe.pipeline.timing import ORIGINAL
from dlpipe.report import words

_SAME_SIZE = 0.02


@dataclass(frozen=True, slots=True)
class Shorter:
    """`recipe` lacks the passes `tail`. why: in figures, what they did not bring."""

    recipe: Recipe
    tail: tuple[str, ...]
    why: str


def without_tail(ground: Ground, whole: Candidate) -> Shorter | None:
    """The shortest beginning of the candidate's recipe that it is not beyond doubt better than, in what is minimised.
    None where each of its passes brings something, or there is but one."""
    steps, links = whole.variant.steps, whole.variant.links
    described = [_described(ground, link.id) for link in links]
    places = gaining(described)
    if not places:
        return None
    beginnings = {place: begun(whole.variant.recipe, steps, place) for place in places}
    if ground.request.minimised == "size":
        last = described[-1]["size_bytes"]
        for place, shorter in beginnings.items():
            before = described[place - 1]["size_bytes"]
            if last >= before:
                why = f"{words.size(last)}, and {words.size(before)} without"
                return Shorter(shorter, tuple(step.name for step in steps[place:]), why)
        return None
    stages = {str(place): (links[place - 1].id, shorter) for place, shorter in beginnings.items()}
    try:
        timings = time_against_base(ground, {ORIGINAL: (whole.variant.ir, whole.variant.recipe), **stages})
    except Unsupported:  # a backend that takes the whole and not its beginnings
        return None
    for place, shorter in beginnings.items():
        found = next((each for each in timings[str(place)]["speedups"] if each["baseline"] == "original"), None)
        if found is not None and found.get("ci95") and found["ci95"][1] >= 1 and not found["noisy"]:
            low, high = found["ci95"]
            why = f"without, {words.times(found['value'])} as fast, 95 % interval {low:.2f} to {high:.2f}"
            return Shorter(shorter, tuple(step.name for step in steps[place:]), why)
    return None


def gaining(described: Sequence[Any]) -> list[int]:
    """The passes but the first, by place, that made the model another one in size or in multiplications: what comes
    after such a pass and is not one itself (a training) belongs to it."""
    found = []
    for place in range(1, len(described)):
        before, after = described[place - 1], described[place]
        smaller = abs(after["size_bytes"] - before["size_bytes"]) > _SAME_SIZE * before["size_bytes"]
        if smaller or after.get("macs") != before.get("macs"):
            found.append(place)
    return found


def begun(recipe: Recipe, steps: Sequence[Step], place: int) -> Recipe:
    """The recipe up to, and without, the step at `place`."""
    kept = list(steps[:place])
    lowered = any("keep" in pass_info(step.name).defaults for step in kept)  # what lowers numbers chooses by node
    return recipe.model_copy(
        update={
            "name": f"{recipe.name}-without-{steps[place].name}",
            "steps": kept,
            "precision": recipe.precision if lowered else "fp32",
            "tolerance": recipe.judged_as,
        }
    )


def _described(ground: Ground, stage: str) -> Any:
    return ground.session.executor.outcomes[f"describe:{stage}"].value
