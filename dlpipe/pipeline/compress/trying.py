"""All that is tried: the recipes that were named, or a search; and then, is what was found really faster here?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from dlpipe.passes.recipes import Recipe
from dlpipe.pipeline.compress import judge
from dlpipe.pipeline.compress.ground import Ground
from dlpipe.pipeline.compress.layers import ROUND, leaves_out, refine
from dlpipe.pipeline.compress.ranking import in_order
from dlpipe.pipeline.compress.search import Searched, search
from dlpipe.pipeline.compress.space import suitable
from dlpipe.pipeline.compress.spending import Spending
from dlpipe.pipeline.compress.tails import without_tail
from dlpipe.pipeline.compress.trial import Candidate, attempt
from dlpipe.report.compression import Tried

OnTried = Callable[[Tried], object]
_Measure = Callable[[Recipe], Candidate]


def try_all(ground: Ground, on_tried: OnTried) -> Searched:
    """In order. What takes back a part of a candidate is a candidate of its own; what makes the same as one before is
    that one."""
    request, found = ground.request, list[Candidate]()
    also = defaultdict[int, list[str]](list)  # number -> recipes that made the same

    def measured(number: int, recipe: Recipe, seconds: float | None = None) -> Candidate:
        candidate = attempt(ground, number, recipe, found, seconds)
        if candidate.tried.number == number:
            found.append(candidate)
            on_tried(candidate.tried)
        else:
            also[candidate.tried.number].append(recipe.name)
        return candidate

    def one_more(recipe: Recipe) -> Candidate:
        return measured(len(found) + 1, recipe)

    def in_time(number: int, recipe: Recipe) -> Candidate:
        """What was expected to end in time and does not is stopped, once there is something to choose from."""
        something = any(each.tried.verdict != "failed" for each in found)
        return measured(number, recipe, max(spending.left(), 0.0) if something else None)

    spending = Spending(request.budget)
    if request.recipes:
        for recipe in request.recipes:
            one_more(recipe)
        ended = "the recipes that were named are tried"
        spending = Spending(request.budget)  # all of it, to look at what they made
    else:
        ended = search(request, {each.name: each for each in suitable(request)}, in_time, spending).ended
    best = next(iter(in_order((each.tried for each in found), request.minimised)), None)
    if best is not None:
        whole = found[best.number - 1]
        said, found[best.number - 1] = _passes(ground, whole, one_more, spending)
    elif request.minimised == "latency":
        said = _layers(ground, found, one_more, spending)
    else:
        said = None
    for number, names in also.items():
        tried = found[number - 1].tried.model_copy(update={"also": tuple(names)})
        found[number - 1] = replace(found[number - 1], tried=tried)
    return Searched(tuple(found), f"{ended}; {said}" if said else ended)


def _passes(ground: Ground, whole: Candidate, measured: _Measure, spending: Spending) -> tuple[str | None, Candidate]:
    """Take back the last passes of the best candidate where they bring nothing. (What came of it, the candidate as it
    is judged now)."""
    if len(whole.variant.steps) > 1 and not spending.fits(whole.tried.recipe):
        return f"no time was left to see whether each pass of {whole.tried.recipe} brings something", whole
    found = without_tail(ground, whole)
    if found is None:
        return None, whole
    shorter = measured(found.recipe)
    what = f"{whole.tried.recipe}: {' + '.join(found.tail)} bring{'s' if len(found.tail) == 1 else ''} nothing"
    if shorter.tried.verdict != "meets":
        return f"{what}, and the limits are not kept without", whole
    tried = whole.tried.model_copy(update={"verdict": "no-gain", "reason": f"{what} beyond the rest: {found.why}"})
    return f"{what} and {'was' if len(found.tail) == 1 else 'were'} taken back", replace(whole, tried=tried)


def _layers(ground: Ground, found: list[Candidate], measured: _Measure, spending: Spending) -> str | None:
    """Where nothing is faster: take the fastest back in those layers that are slower by it. What came of it."""
    slow = _worth_a_second_look(found)
    if slow is None:
        return None

    def go_on() -> bool:  # what is found is a candidate more
        return spending.fits(ROUND, slow.tried.recipe)

    if not go_on():
        return f"no time was left to see whether layers of {slow.tried.recipe} alone are faster"
    kept = refine(ground, slow, f"{slow.tried.recipe}-layers", go_on, spending)
    if kept is None:
        return f"no layer of {slow.tried.recipe} alone was found to be faster either"
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
