"""All that is tried: the recipes that were named, or a search; and then, is what was found really faster here?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from dlpipe.passes.recipes import Recipe
from dlpipe.pipeline.compress import judge
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.compress.layers import leaves_out, refine
from dlpipe.pipeline.compress.search import Searched, search
from dlpipe.pipeline.compress.space import suitable
from dlpipe.pipeline.compress.tails import without_tail
from dlpipe.pipeline.compress.trial import Candidate, attempt
from dlpipe.report.compression import Tried

_LEAST_SHARE = 0.25  # of the budget, for looking at layers, when the search used it up

OnTried = Callable[[Tried], object]
_Measure = Callable[[Recipe], Candidate]


def try_all(ground: Ground, on_tried: OnTried) -> Searched:
    """In order. What takes back a part of a candidate is a candidate of its own."""
    request, found = ground.request, list[Candidate]()
    started = time.monotonic()

    def measured(number: int, recipe: Recipe) -> Candidate:
        found.append(attempt(ground, number, recipe))
        on_tried(found[-1].tried)
        return found[-1]

    def one_more(recipe: Recipe) -> Candidate:
        return measured(len(found) + 1, recipe)

    if request.recipes:
        for recipe in request.recipes:
            one_more(recipe)
        ended = "the recipes that were named are tried"
    else:
        ended = search(request, {each.name: each for each in suitable(request)}, measured).ended
    best = next(iter(judge.in_order((each.tried for each in found), request.minimised)), None)
    if best is not None:
        whole = found[best.number - 1]
        said, found[best.number - 1] = _passes(ground, whole, one_more)
    elif request.minimised == "latency":
        spent = time.monotonic() - started
        said = _layers(ground, found, one_more, started + max(request.budget, spent + _LEAST_SHARE * request.budget))
    else:
        said = None
    return Searched(tuple(found), f"{ended}; {said}" if said else ended)


def _passes(ground: Ground, whole: Candidate, measured: _Measure) -> tuple[str | None, Candidate]:
    """Take back the last passes of the best candidate where they bring nothing. (What came of it, the candidate as it
    is judged now)."""
    found = without_tail(ground, whole)
    if found is None:
        return None, whole
    shorter = measured(found.recipe)
    what = f"{whole.tried.recipe}: {' + '.join(found.tail)} bring{'s' if len(found.tail) == 1 else ''} nothing"
    if shorter.tried.verdict != "meets":
        return f"{what}, and the limits are not kept without", whole
    tried = whole.tried.model_copy(update={"verdict": "no-gain", "reason": f"{what} beyond the rest: {found.why}"})
    return f"{what} and {'was' if len(found.tail) == 1 else 'were'} taken back", replace(whole, tried=tried)


def _layers(ground: Ground, found: list[Candidate], measured: _Measure, deadline: float) -> str | None:
    """Where nothing is faster: take the fastest back in those layers that are slower by it. What came of it."""
    slow = _worth_a_second_look(found)
    if slow is None:
        return None
    kept = refine(ground, slow, f"{slow.tried.recipe}-layers", deadline)
    if kept is None:
        return f"no layer of {slow.tried.recipe} alone is faster either"
    last = measured(kept.recipe)
    return (
        f"{last.tried.recipe} takes {slow.tried.recipe} back in {len(kept.layers)} of {kept.of} layers, which timed "
        "faster without it"
    )


def _worth_a_second_look(candidates: Iterable[Candidate]) -> Candidate | None:
    """Of those that only lack speed, and can leave layers alone, the fastest."""
    slow = [
        each
        for each in candidates
        if each.tried.verdict == "no-gain"
        and each.tried.figures.speedup is not None
        and leaves_out(each.variant.recipe) is not None
    ]
    return min(slow, key=lambda each: judge.cost(each.tried.figures, "latency"), default=None)
