"""Does a candidate keep the limits, does it gain anything, and does another beat it in everything."""

from __future__ import annotations

from collections.abc import Iterable

from dlpipe.passes.recipes import Goal
from dlpipe.pipeline.compress.request import DEFAULT_DROP
from dlpipe.pipeline.limits import UserLimits, bad_end, keeps, unit_of
from dlpipe.report import words
from dlpipe.report.compression import Figures, Tried

_COST_OF = {"max_size": "size", "max_latency": "latency_p50", "max_memory": "peak_memory"}


def broken(figures: Figures, limits: UserLimits, confidence: float | None) -> str | None:
    """Why a limit is not kept, or cannot be told to be; None where all are. A user who sets no limit to the loss of
    accuracy gets the default one; with no labels the outputs have to agree as the precision allows."""
    if figures.accuracy is not None:
        limit = limits.allowed_drop(figures.accuracy, DEFAULT_DROP) or 0.0
        drop = figures.accuracy.drop
        if confidence is not None and figures.accuracy.drop_ci95 is not None:
            drop = figures.accuracy.drop_ci95[1]
        if drop is None or drop > limit:
            unit = figures.accuracy.unit
            shown, most = (words.difference(each, unit).removeprefix("+") for each in (drop or 0.0, limit))
            return f"{figures.accuracy.metric} drop {shown if drop is not None else words.NOTHING}, limit {most}"
    elif limits.max_accuracy_drop is not None:
        return f"the drop of accuracy cannot be told: {figures.accuracy_reason}"
    elif figures.fidelity is not None and figures.fidelity.passed is None:
        return f"its outputs cannot be judged: {_why(figures)}"
    elif figures.fidelity is None or not figures.fidelity.passed:
        return f"its outputs depart from the original: {_why(figures)}"
    for name, limit in limits.set_limits().items():
        said = _cost(figures, name, limit, confidence) if name != "max_accuracy_drop" else None
        if said is not None:
            return said
    return None


def excess(figures: Figures, limits: UserLimits) -> dict[str, float]:
    """Limit -> by how much it is broken, as a share of it; at most 0 where it is kept. For a sampler to learn from."""
    wanted = {"max_accuracy_drop": DEFAULT_DROP, **limits.set_limits()}
    if figures.accuracy is not None:
        wanted["max_accuracy_drop"] = limits.allowed_drop(figures.accuracy, DEFAULT_DROP) or 0.0
    found = {}
    for name, limit in wanted.items():
        value = drop(figures) if name == "max_accuracy_drop" else _value(figures, name)
        by = 1.0 if value is None else (limit - value if name == "min_speedup" else value - limit) / max(limit, 1e-9)
        found[name] = by
    return found


def _why(figures: Figures) -> str | None:
    return figures.fidelity.reason if figures.fidelity is not None else figures.fidelity_reason


def _cost(figures: Figures, name: str, limit: float, confidence: float | None) -> str | None:
    shown, unit = name.replace("_", "-"), unit_of(name)
    value = _value(figures, name) if confidence is None else _bad_end(figures, name)
    if value is None:
        figure = figures.cost.get(_COST_OF[name]) if name in _COST_OF else None
        reason = figures.speedup_reason if name == "min_speedup" else figure.reason if figure else "not measured"
        return f"{shown} cannot be told: {reason}"
    said = f"{shown}: {words.limit(value, unit)}, limit {words.limit(limit, unit)}"
    return None if keeps(name, value, limit) else said


def _value(figures: Figures, name: str) -> float | None:
    if name == "min_speedup":
        return figures.speedup.value if figures.speedup is not None else None
    figure = figures.cost.get(_COST_OF[name])
    return float(figure.value) if figure is not None and isinstance(figure.value, int | float) else None


def _bad_end(figures: Figures, name: str) -> float | None:
    """Of the interval, where there is one."""
    found = figures.speedup if name == "min_speedup" else figures.cost.get(_COST_OF[name])
    if found is None or found.ci95 is None:
        return _value(figures, name)
    return bad_end(name, found.ci95)


def no_gain(figures: Figures, base: Figures, goal: Goal) -> str | None:
    """Why it is no better than the uncompressed model in what is minimised; None where it is. A speed-up counts only
    where its interval excludes 1."""
    if goal == "size":
        mine, before = size(figures), size(base)
        return None if mine < before else f"not smaller: {words.size(mine)}, was {words.size(before)}"
    found = figures.speedup
    if found is None or found.value is None or found.ci95 is None:
        return f"no speed-up is known: {found.reason if found is not None else figures.speedup_reason}"
    if found.noisy:
        return found.reason
    low, high = found.ci95
    if low > 1:
        return None
    interval = f"{words.significant(low)} to {words.significant(high)}"
    return f"not faster: {words.times(found.value)}, 95 % interval {interval}"


def cost(figures: Figures, goal: Goal) -> float:
    """What is minimised: bytes, or the time relative to that of the uncompressed model (which ratio other runs can be
    compared by)."""
    if goal == "size":
        return size(figures)
    found = figures.speedup
    return 1 / found.value if found is not None and found.value else 1.0


def size(figures: Figures) -> float:
    value = figures.cost["size"].value if "size" in figures.cost else None
    return float(value) if isinstance(value, int | float) else float("inf")


def drop(figures: Figures) -> float:
    """The loss in points; with no labels, what the outputs' direction lost, in percent."""
    if figures.accuracy is not None and figures.accuracy.drop is not None:
        return figures.accuracy.drop
    cosine = figures.fidelity.cosine if figures.fidelity is not None else None
    return 100.0 if cosine is None else 100 * (1 - cosine)


def marked(tried: Iterable[Tried], base: Figures, goal: Goal) -> list[Tried]:
    """With `pareto` set where neither another nor the uncompressed model is at least as good in both and better in
    one."""
    every = list(tried)
    places = {each.number: (drop(each.figures), cost(each.figures, goal)) for each in every if each.verdict != "failed"}
    all_places = [*places.values(), (drop(base), cost(base, goal))]

    def beaten(place: tuple[float, float]) -> bool:
        return any(other[0] <= place[0] and other[1] <= place[1] and other != place for other in all_places)

    return [
        each.model_copy(update={"pareto": each.number in places and not beaten(places[each.number])}) for each in every
    ]
