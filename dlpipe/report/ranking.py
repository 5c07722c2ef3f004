"""Backends ranked by weighted indicators of the scorecard.

An indicator's score is its value's share of the best one's in the comparison, so that twice the latency is half the
score: no scale is made up. What is absent scores nothing where others have it, and does not count where nobody has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlpipe.contracts.figure import Figure
from dlpipe.errors import UserError
from dlpipe.report.indicators import Indicator, indicators
from dlpipe.report.schema import Report, ScorecardRow


@dataclass(frozen=True, slots=True)
class Ranked:
    """`score` and `scores` in 0-1; None: not ranked, with the reason. `scores`: indicator id -> its share."""

    run: str
    model: str
    row: ScorecardRow
    score: float | None
    scores: Mapping[str, float]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of one target, best first; those that are not ranked at the end. `weights`: of the indicators that count, of
    which the sum is 1. `unknown`: those that were to count, and that nobody has."""

    target: str
    rows: tuple[Ranked, ...]
    weights: Mapping[str, float]
    unknown: tuple[str, ...]


def default_weights() -> dict[str, float]:
    return {each.id: each.weight for each in indicators() if each.weight}


def parse_weights(given: Mapping[str, float]) -> dict[str, float]:
    """Names are ids, their ends (`latency-p50`), or beginnings (`performance`: all below it, by their own weights).
    What is not named weighs nothing. Raises UserError for a name that ranks nothing, or a weight below 0."""
    found: dict[str, float] = {}
    ranked = {each.id: each for each in indicators() if each.better is not None}
    for name, weight in given.items():
        if not 0 <= weight < float("inf"):
            raise UserError(f"--weights {name}={weight}: a weight is a number from 0")
        exact = [id_ for id_ in ranked if id_ == name or id_.endswith(f".{name}")]
        below = {id_: each.weight for id_, each in ranked.items() if id_.startswith(f"{name}.") and each.weight}
        if len(exact) == 1:
            found[exact[0]] = weight
        elif below:
            found |= {id_: weight * own / sum(below.values()) for id_, own in below.items() if id_ not in found}
        else:
            known = ", ".join(sorted({id_.rsplit(".", 1)[-1] for id_ in ranked}))
            raise UserError(f"--weights: no indicator that ranks is called {name!r}", hint=f"it is one of {known}")
    if not any(found.values()):
        raise UserError("--weights: everything weighs 0, so nothing can be ranked")
    return found


def rank(reports: Sequence[Report], weights: Mapping[str, float]) -> list[Ranking]:
    """One ranking per target, in the order in which the reports name them."""
    rows: dict[str, list[tuple[Report, ScorecardRow]]] = {}
    for report in reports:
        for row in report.scorecard:
            rows.setdefault(row.target, []).append((report, row))
    return [_target(target, each, weights) for target, each in rows.items()]


def _target(target: str, rows: list[tuple[Report, ScorecardRow]], weights: Mapping[str, float]) -> Ranking:
    known = {each.id: each for each in indicators()}
    reasons = [_unfit(report, row) for report, row in rows]
    fit = [row for (_, row), reason in zip(rows, reasons, strict=True) if reason is None]
    values = {id_: {id(row): number(known[id_], row.indicators.get(id_)) for row in fit} for id_ in weights}
    counted = {id_: weight for id_, weight in weights.items() if weight and any(values[id_].values())}
    total = sum(counted.values())
    ranked = []
    for (report, row), reason in zip(rows, reasons, strict=True):
        scores = {} if reason else {id_: _share(known[id_], values[id_], values[id_][id(row)]) for id_ in counted}
        score = sum(scores[id_] * weight for id_, weight in counted.items()) / total if scores and total else None
        why = reason or (None if score is not None else "nothing that counts was measured")
        ranked.append(Ranked(report.run, report.source.path, row, score, scores, why))
    ranked.sort(key=lambda each: (each.score is None, -(each.score or 0.0)))
    unknown = tuple(id_ for id_, weight in weights.items() if weight and id_ not in counted)
    return Ranking(target, tuple(ranked), {id_: weight / total for id_, weight in counted.items()}, unknown)


def _unfit(report: Report, row: ScorecardRow) -> str | None:
    """Why a row is not ranked: only what ran and agreed may be chosen."""
    artifact = next((each for each in report.artifacts if each.path == row.artifact), None)
    if artifact is None:
        return "its artefact is not in the report"
    return None if artifact.verdict == "passed" else f"{artifact.verdict}: {artifact.reason or 'no reason given'}"


def number(indicator: Indicator, figure: Figure | None) -> float | None:
    """The value that is ranked; None where there is none, or none that a share could be taken of."""
    if figure is None or figure.value is None:
        return None
    if indicator.better == "most":
        return float(len(str(figure.value).split(", ")))
    value = figure.value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _share(indicator: Indicator, values: Mapping[int, float | None], mine: float | None) -> float:
    if mine is None:
        return 0.0
    others = [each for each in values.values() if each is not None]
    return min(others) / mine if indicator.better == "lower" else mine / max(others)
