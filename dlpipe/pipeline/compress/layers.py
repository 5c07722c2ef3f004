"""Is it really faster here? Layer by layer: which layers a lossy pass had better leave alone on this machine.

Groups of layers are left out of the pass, one group at a time, and all that comes of it is timed together with the pass
as it is. The group whose absence helps most stays out, or that half of it whose absence alone helps more, and so on;
where no group helps, each is halved. So a kind of layer that has a slow kernel is found at once, and one slow layer
among n in about log2(n) rounds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlpipe.errors import Unsupported
from dlpipe.passes.recipes import Recipe
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.compress.figures import Made, time_against_base
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.compress.spending import Spending
from dlpipe.pipeline.compress.trial import Candidate
from dlpipe.pipeline.timing import ORIGINAL
from dlpipe.pipeline.variants import make_variant

ROUNDS = 10  # of timings at most
WIDTH = 8  # groups in one timing at most
ROUND = "a round of timings"  # for `Spending`
_KEEP = "keep"  # the parameter that names the layers which a pass leaves alone


@dataclass(frozen=True, slots=True)
class Kept:
    """`recipe` leaves `layers` alone; `of` layers were there."""

    recipe: Recipe
    layers: tuple[str, ...]
    of: int


def leaves_out(recipe: Recipe) -> int | None:
    """Which step can leave layers alone; None where no step can."""
    lossy = (index for index, step in enumerate(recipe.steps) if not pass_info(step.name).exact)
    return next((index for index in lossy if _KEEP in pass_info(recipe.steps[index].name).defaults), None)


def refine(
    ground: Ground, candidate: Candidate, name: str, go_on: Callable[[], bool], spending: Spending
) -> Kept | None:
    """The candidate's recipe with those layers left alone that are faster so. None where leaving any alone does not
    help, or nothing was found as long as it was to `go_on`. What a round takes is told to `spending`."""
    recipe = candidate.variant.recipe
    place = leaves_out(recipe)
    if place is None:
        return None
    groups = kinds(ground.session.executor.outcomes[f"describe:{ground.ir}"].value["nodes"])
    current = (candidate.variant.ir, recipe)
    numbers = itertools.count(1)

    def best(left: list[str], tried: list[list[str]]) -> list[str] | None:
        nonlocal current
        before = spending.left()
        made: dict[str, tuple[Recipe, list[str]]] = {}
        for group in tried:
            fewer = with_layers(recipe, place, [*left, *group], f"{name}.{next(numbers)}")
            stage = _made(ground, fewer)
            if stage is not None:
                made[stage] = (fewer, group)
        fastest = _fastest(ground, current, {stage: fewer for stage, (fewer, _) in made.items()})
        spending.took(ROUND, before - spending.left())
        if fastest is None:
            return None
        current = (fastest, made[fastest][0])
        return made[fastest][1]

    left = apart(groups, best, go_on)
    of = sum(map(len, groups))
    return Kept(with_layers(recipe, place, left, name), tuple(left), of) if 0 < len(left) < of else None


def apart(
    groups: list[list[str]],
    best: Callable[[list[str], list[list[str]]], list[str] | None],
    go_on: Callable[[], bool] = lambda: True,
) -> list[str]:
    """The layers to leave alone. best(left, tried): which of the groups `tried` gives the fastest when it is left alone
    beside `left`; None where none is faster than what `best` returned before, or than the start."""
    left: list[str] = []
    rounds = 0
    while groups and rounds < ROUNDS and go_on():
        rounds += 1
        now, later = groups[:WIDTH], groups[WIDTH:]
        found = best(left, now)
        if found is None:
            groups = [*later, *halved(now)]
            continue
        groups = [each for each in groups if each != found]
        while len(found) > 1 and rounds < ROUNDS and go_on():
            rounds += 1
            half = best(left, halved([found]))
            if half is None:
                break
            groups.append([each for each in found if each not in half])
            found = half
        left += found
    return left


def kinds(nodes: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The names of the layers in groups of one kind, the largest first: a kind shares its kernels."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node.get("name"):
            found.setdefault(kind(node), []).append(node["name"])
    return sorted(found.values(), key=len, reverse=True)


def kind(node: Mapping[str, Any]) -> str:
    """`Conv 3x3 depthwise`, `Add`."""
    attributes = node.get("attributes") or {}
    words = [str(node["op"])]
    if kernel := attributes.get("kernel_shape"):
        words.append("x".join(map(str, kernel)))
    if int(attributes.get("group", 1)) > 1:
        words.append("depthwise")
    return " ".join(words)


def halved(groups: Sequence[list[str]]) -> list[list[str]]:
    """Each in two, in the order of the graph; single layers, which have been tried, are gone."""
    return [half for group in groups if len(group) > 1 for half in (group[: len(group) // 2], group[len(group) // 2 :])]


def with_layers(recipe: Recipe, index: int, layers: Sequence[str], name: str) -> Recipe:
    """The recipe with these layers left alone by that step, beside those that it leaves alone itself."""
    step = recipe.steps[index]
    params = {**step.params, _KEEP: sorted({*step.params.get(_KEEP, []), *layers})}
    steps = [*recipe.steps[:index], step.model_copy(update={"params": params}), *recipe.steps[index + 1 :]]
    return recipe.model_copy(update={"name": name, "steps": steps})


def _made(ground: Ground, recipe: Recipe) -> str | None:
    """The stage that holds its result; None where the pass refuses, say since no layer is left. Of its checks only what
    is in it is asked, which a backend wants to know."""
    variant = make_variant(recipe, ground.rank, ir=ground.ir, target=ground.request.quantised_for)
    wanted = [each for each in variant.stages if each.kind != "measure" or each.id == f"describe:{variant.ir}"]
    outcomes = ground.session.executor.run(wanted)
    return variant.ir if outcomes[variant.ir].status == "ok" else None


def _fastest(ground: Ground, current: Made, made: Mapping[str, Recipe]) -> str | None:
    """Of these stages, that which is faster than `current` beyond doubt, and most."""
    if not made:
        return None
    try:
        timings = time_against_base(ground, {ORIGINAL: current, **{stage: (stage, by) for stage, by in made.items()}})
    except Unsupported:  # a backend that takes the whole and not the mixture
        return None
    faster = {}
    for stage in made:
        found = next((each for each in timings[stage]["speedups"] if each["baseline"] == "original"), None)
        if found is not None and found.get("ci95") and found["ci95"][0] > 1 and not found["noisy"]:
            faster[stage] = found["value"]
    return max(faster, key=lambda stage: faster[stage], default=None)
