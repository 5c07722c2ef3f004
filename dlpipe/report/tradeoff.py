"""What the artefacts of a run lose against what they cost, as a plot with its Pareto front."""

from __future__ import annotations

from dataclasses import dataclass

from dlpipe.report import summary, words
from dlpipe.report.pareto import Plot, Point, Scale, labels, unbeaten
from dlpipe.report.schema import Artifact, Report


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """`numbers`: what the points stand for, in the order of their numbers."""

    target: str
    plot: Plot
    numbers: tuple[tuple[int, str], ...]


def tradeoffs(report: Report) -> list[Tradeoff]:
    """One for each target with two artefacts or more that passed, and of which both figures are known."""
    targets = dict.fromkeys(each.target for each in report.artifacts)
    return [found for found in (_of(report, target) for target in targets) if found is not None]


def _of(report: Report, target: str) -> Tradeoff | None:
    passed = [each for each in report.artifacts if each.target == target and each.verdict == "passed"]
    by_accuracy = all(each.accuracy is not None and each.accuracy.drop is not None for each in passed)
    timed = bool(passed) and all(_latency(each) is not None for each in passed)
    known = [
        (each, loss, cost)
        for each in passed
        if (loss := _loss(each, by_accuracy=by_accuracy)) is not None
        and (cost := _latency(each) if timed else float(each.size_bytes or 0)) is not None
    ]
    if len(known) < 2:
        return None
    chosen = report.selected[target].path if target in report.selected else None
    losses, costs = [loss for _, loss, _ in known], [cost for _, _, cost in known]
    x_scale, y_scale = Scale(min([*losses, 0.0]), max(losses)), Scale(0.0, max(costs))
    places = {number: (x_scale.place(x), y_scale.place(y)) for number, (_, x, y) in enumerate(known, start=1)}
    marks = labels(places)
    written = words.duration if timed else words.size
    numbers = [
        (number, f"{summary.name(each)}: {_said(each, by_accuracy=by_accuracy)}, {written(cost)}")
        for number, (each, _, cost) in enumerate(known, start=1)
    ]
    points = tuple(
        Point(
            x=places[number][0],
            y=places[number][1],
            number=number,
            label=marks.get(number, ""),
            text=f"{number}: {text}",
            state="meets" if front else "no-gain",
            front=front,
            chosen=each.path == chosen,
        )
        for (number, text), (each, x, y) in zip(numbers, known, strict=True)
        for front in [unbeaten((x, y), list(zip(losses, costs, strict=True)), smaller=True)]
    )
    plot = Plot(
        points=points,
        front=tuple(sorted((each.x, each.y) for each in points if each.front)),
        limit=None,
        x_ticks=x_scale.ticks(lambda value: f"{value:g}"),
        y_ticks=y_scale.ticks(written),
        x_name=words.loss_title(passed[0].accuracy) if by_accuracy else "outputs' direction lost, in %",
        y_name="median latency" if timed else "size",
    )
    return Tradeoff(target, plot, tuple(numbers))


def _loss(artifact: Artifact, *, by_accuracy: bool) -> float | None:
    if by_accuracy:
        return artifact.accuracy.drop if artifact.accuracy is not None else None
    cosine = artifact.fidelity.cosine if artifact.fidelity is not None else None
    return None if cosine is None else 100 * (1 - cosine)


def _said(artifact: Artifact, *, by_accuracy: bool) -> str:
    if by_accuracy:
        return words.drop(artifact.accuracy)
    cosine = artifact.fidelity.cosine if artifact.fidelity is not None else None
    return f"cos {cosine:.6f}" if cosine is not None else words.NOTHING


def _latency(artifact: Artifact) -> float | None:
    figure = artifact.cost.get("latency_p50")
    known = figure is not None and figure.provenance == "measured" and isinstance(figure.value, int | float)
    return float(figure.value) if known and figure is not None and figure.value is not None else None
