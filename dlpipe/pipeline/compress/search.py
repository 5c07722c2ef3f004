"""The search, on Optuna: over recipes and their settings, for little loss and little cost at once, within the limits.

It needs no file of its own to go on after a kill. What is asked next depends only on what was measured before (the
sampler is seeded by the number of the trial), and every measurement is a stage in the store: the same command takes
the same way, and what was done is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dlpipe.passes.recipes import Goal, Recipe
from dlpipe.pipeline.compress import judge, ranking, space
from dlpipe.pipeline.compress.request import CompressRequest
from dlpipe.pipeline.compress.spending import Spending
from dlpipe.pipeline.compress.trial import Candidate
from dlpipe.pipeline.request import SEED
from dlpipe.report.compression import Tried

PATIENCE = 6  # trials without a better one, once the limits are kept
REPEATS = 30  # proposals in a row that are known already: there is hardly anything new left
LAYERS = 0.25  # of the budget, kept for looking at layers as long as nothing is faster
_WORST = [100.0, 1e15]  # points, and bytes or relative time
_RANDOM = 8  # trials before the sampler has a model of what is good

Attempt = Callable[[int, Recipe], Candidate]  # gives an earlier one where what it makes is the same


@dataclass(frozen=True, slots=True)
class Searched:
    candidates: tuple[Candidate, ...]
    ended: str  # why it tried no more, in words


def search(
    request: CompressRequest, found: Mapping[str, Recipe], attempt: Attempt, spending: Spending | None = None
) -> Searched:
    """Every recipe as its file says first, then those that lost too much with more and more of their sensitive nodes in
    float, then what the sampler makes of the results. It ends before a try that is not expected to end in time."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options = request.quantised_for.options.get("quantisation", {}) if request.quantised_for is not None else {}
    study = optuna.create_study(directions=["minimize", "minimize"])
    for recipe in found.values():
        study.enqueue_trial(space.defaults(recipe))
    spending = spending or Spending(request.budget)
    known: dict[str, Candidate] = {}
    done: list[Candidate] = []  # each once
    hopeless: dict[str, Candidate] = {}  # recipes that fail as they are: no setting of theirs is tried
    watch = _Watch(request, len(found))
    while (ended := watch.ended(done, len(known))) is None:
        study.sampler = optuna.samplers.TPESampler(seed=SEED + len(study.trials), n_startup_trials=_RANDOM)
        trial = study.ask()
        choices = space.choose(trial, found)
        recipe = found[choices[space.RECIPE]]
        number = len(done) + 1
        name = recipe.name if choices == space.defaults(recipe) else f"{recipe.name}-{number}"
        made = space.concrete(recipe, choices, name)
        sign = space.signature(made, options)
        candidate = hopeless.get(recipe.name) or known.get(sign)
        if candidate is None:
            ended = watch.too_long(name, recipe, done, spending)
            if ended is not None:
                return Searched(tuple(done), f"{ended}{_untried(found, known, options)}")
            candidate = known[sign] = _tried(attempt, number, made, recipe.name, spending)
            if name == recipe.name and candidate.tried.verdict == "failed":
                hopeless[name] = candidate
            elif name == recipe.name and _loses_too_much(candidate.tried, request):
                for again in space.more_in_float(recipe):
                    study.enqueue_trial(again)
        watch.repeated = 0 if candidate.tried.number == number else watch.repeated + 1
        done += [candidate] if candidate.tried.number == number else []
        _tell(study, trial, candidate.tried, request)
    return Searched(tuple(done), ended)


def _tried(attempt: Attempt, number: int, made: Recipe, kind: str, spending: Spending) -> Candidate:
    """What fails, or is what there was before, takes next to no time, and says nothing of how long others take."""
    before = spending.left()
    candidate = attempt(number, made)
    if candidate.tried.verdict != "failed" and candidate.tried.number == number:
        spending.took(kind, before - spending.left())
    return candidate


def _untried(found: Mapping[str, Recipe], known: Mapping[str, Candidate], options: Mapping[str, Any]) -> str:
    """The recipes that nothing was made of."""
    left = [
        name
        for name, each in found.items()
        if space.signature(space.concrete(each, space.defaults(each), name), options) not in known
    ]
    return f"; not tried: {', '.join(left)}" if left else ""


def _tell(study: Any, trial: Any, tried: Tried, request: CompressRequest) -> None:
    """A failure counts as the worst there is, so that the sampler keeps away from it."""
    failed = tried.verdict == "failed"
    excess = {"made": 1.0} if failed else judge.excess(tried.figures, request.limits)
    for name, by in excess.items():
        trial.set_constraint(name, by)
    study.tell(trial, _WORST if failed else [judge.drop(tried.figures), judge.cost(tried.figures, request.minimised)])


def _loses_too_much(tried: Tried, request: CompressRequest) -> bool:
    return tried.verdict == "breaks" and judge.excess(tried.figures, request.limits)["max_accuracy_drop"] > 0


class _Watch:
    """When it is enough."""

    def __init__(self, request: CompressRequest, recipes: int) -> None:
        self.repeated = 0
        self._request = request
        self._recipes = recipes

    def ended(self, done: list[Candidate], known: int) -> str | None:
        """Why no more is tried. known: how many settings were, of which some made the same."""
        if not self._recipes:
            return "there is no recipe for this target"
        made = sum(each.tried.verdict != "failed" for each in done)  # what a pass refused costs next to nothing
        if made >= self._request.trials:
            return f"{made} candidates were tried (--trials)"
        if self.repeated >= REPEATS:
            return "there was nothing new left to try"
        if known >= self._recipes and _since_best(done, self._request.minimised) >= PATIENCE:
            return f"the limits were kept, and {PATIENCE} more candidates were no better"
        return None

    def too_long(self, name: str, recipe: Recipe, done: list[Candidate], spending: Spending) -> str | None:
        """Why that one is not begun; until something could be made, the next always is. As long as nothing is faster,
        time is kept to look at layers."""
        if all(each.tried.verdict == "failed" for each in done):
            return None
        wants_layers = self._request.minimised == "latency" and not any(each.tried.verdict == "meets" for each in done)
        if spending.fits(recipe.name, reserve=LAYERS if wants_layers else 0.0):
            return None
        up, left, next_one = f"after {len(done)} candidates (--budget)", spending.left(), spending.expected(recipe.name)
        if left <= 0:
            return f"the time was up {up}"
        why = f"{name} would take about {next_one:.0f} s, and {left:.0f} s were left"
        return f"the time was up {up}: {why}{', some of them for layers' if left >= next_one else ''}"


def _since_best(done: list[Candidate], goal: Goal) -> int:
    """Trials since the best one that keeps the limits; 0 where none does."""
    best = ranking.in_order((each.tried for each in done), goal)
    return len(done) - best[0].number if best else 0
