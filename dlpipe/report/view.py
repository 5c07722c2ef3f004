"""What the HTML template shows, worked out beforehand: the template only places it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Fidelity
from dlpipe.report import dag, grouping, summary, words
from dlpipe.report.charts import Chart, Datum, chart
from dlpipe.report.indicators import Indicator, indicators, training_indicators
from dlpipe.report.radar import Radar, radar
from dlpipe.report.ranking import Ranking
from dlpipe.report.schema import Artifact, Report, Stage

Column = tuple[str, str, Mapping[str, Figure]]  # title, small print, indicator id -> figure


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the drawn pipeline: a stage, or an artefact at its end."""

    box: dag.Box
    title: str
    detail: str
    state: str
    kind: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class FidelityRow:
    name: str
    members: str  # as of `charts.Datum`
    fidelity: Fidelity
    state: str


@dataclass(frozen=True, slots=True)
class Group:
    """Indicators of one level 1, for the scorecard's table."""

    first: Indicator
    indicators: tuple[Indicator, ...]


def nodes(report: Report) -> tuple[list[Node], dag.Layout]:
    """The pipeline's boxes in drawing order, and its layout. An artefact is drawn in place of the compilation that
    made it; one that pre-flight ruled out is listed elsewhere, not drawn."""
    stages = {stage.id: stage for stage in report.stages}
    artifacts = {
        id_: each for each in report.artifacts for id_ in each.after if id_ in stages and stages[id_].kind == "compile"
    }
    passes = {id_ for id_, stage in stages.items() if stage.kind == "pass"}
    laid = dag.layout({id_: stage.after for id_, stage in stages.items()}, stacked=passes, last=artifacts)
    several = len({each.target for each in artifacts.values()}) > 1
    chosen = {each.path for each in report.selected.values()}
    found = []
    for box in laid.boxes:
        artifact = artifacts.get(box.id)
        if artifact is None:
            found.append(_stage_node(box, stages[box.id]))
        else:
            size = words.size(artifact.size_bytes) if artifact.size_bytes is not None else "not made"
            detail = f"{artifact.verdict} · {artifact.target if several else size}"
            title, is_chosen = summary.name(artifact), artifact.path in chosen
            found.append(Node(box, title, detail, artifact.verdict, "artifact", is_chosen))
    return found, laid


def _stage_node(box: dag.Box, stage: Stage) -> Node:
    detail: str = stage.status
    if stage.status == "ok":
        took = "cached" if stage.cache == "hit" else words.duration(1000 * stage.seconds) if stage.seconds else "ok"
        detail = f"{stage.tool} · {took}"
    return Node(box, stage.title or stage.id, detail, stage.status, stage.kind, chosen=False)


def accuracy_chart(report: Report) -> Chart | None:
    """Loss against the original, stage by stage and artefact by artefact; None where nothing was labelled."""
    data = [
        _loss(kin, name, each.accuracy)
        for kin, name, each in _measured(report)
        if each.accuracy and each.accuracy.drop is not None
    ]
    return chart(_grouped(data), least=(-0.5, 1.0)) if data else None


def _loss(kin: str, name: str, found: Accuracy) -> Datum:
    value = found.drop or 0.0
    detail = f"{words.score(found)} of {found.n:,}"
    tone = "flat"
    if found.drop_ci95 is not None:
        low, high = found.drop_ci95
        detail += f", 95 % interval {words.interval(found)}"
        tone = "bad" if low > 0 else "good" if high < 0 else "flat"
    return Datum(name, value, found.drop_ci95, words.drop(found), detail, tone, kin)


def speedup_chart(report: Report) -> Chart | None:
    """Speed-up of what was timed on the machine itself; None where nothing was."""
    data = []
    for kin, name, each in _measured(report):
        found = summary.main_speedup(each.speedups)
        if found is None or found.value is None:
            continue
        tone = "unsure" if found.noisy else "good" if found.value > 1 else "bad"
        detail = f"against {summary.baseline(found)}"
        if found.ci95:
            detail += f", 95 % interval {found.ci95[0]:.2f} to {found.ci95[1]:.2f}"
            tone = "flat" if found.ci95[0] <= 1 <= found.ci95[1] and not found.noisy else tone
        if found.noisy:
            detail += "; too noisy to say"
        data.append(Datum(name, found.value, found.ci95, words.speedup(found), detail, tone, kin))
    return chart(_grouped(data), least=(0.0, 1.5), mark=1.0) if data else None


def fidelity_rows(report: Report) -> list[FidelityRow]:
    states = {True: "passed", False: "failed", None: "unverified"}
    found = [(name, kin, each.fidelity) for kin, name, each in _measured(report) if each.fidelity is not None]
    rows = []
    for run in grouping.alike(found, lambda each: (each[1], each[2].model_dump_json())):
        names, fidelity = [name for name, _, _ in run], run[0][2]
        rows.append(FidelityRow(grouping.label(names), grouping.members(names), fidelity, states[fidelity.passed]))
    return rows


def _grouped(data: list[Datum]) -> list[Datum]:
    """Neighbours of which all is the same but the name become one."""
    result = []
    for run in grouping.alike(data, lambda each: replace(each, label="")):
        names = [each.label for each in run]
        result.append(replace(run[0], label=grouping.label(names), members=grouping.members(names)))
    return result


def _measured(report: Report) -> Iterable[tuple[str, str, Stage | Artifact]]:
    """Kin (an artefact's target; nothing for the stages), name and block of all that was measured."""
    for stage in report.stages:
        yield "", stage.title or stage.id, stage
    for artifact in report.artifacts:
        yield artifact.target, f"{artifact.target} {artifact.backend} {artifact.variant}", artifact


def groups() -> list[Group]:
    """The indicators of inference frameworks by level 1, in the paper's order."""
    return _grouped_by_level(indicators())


def training_groups() -> list[Group]:
    """Those of training frameworks."""
    return _grouped_by_level(training_indicators())


def _grouped_by_level(found: Iterable[Indicator]) -> list[Group]:
    by_level: dict[str, list[Indicator]] = {}
    for each in found:
        by_level.setdefault(each.level1.en, []).append(each)
    return [Group(each[0], tuple(each)) for each in by_level.values()]


def columns(report: Report) -> list[Column]:
    return [(f"{row.backend} · {row.target}", row.variant or "", row.indicators) for row in report.scorecard]


def framework_columns(reports: Iterable[Report]) -> list[Column]:
    return [
        (each.framework.framework, summary.model(each), each.framework.indicators)
        for each in reports
        if each.framework is not None
    ]


def radar_of(ranking: Ranking, lang: str) -> Radar | None:
    names = {id_: label(id_, lang) for id_ in ranking.weights}
    scored = [each for each in ranking.rows if each.score is not None]
    return radar(names, [(f"{each.row.backend} {each.row.variant or ''}", each.scores) for each in scored])


def label(id_: str, lang: str) -> str:
    """An indicator's short name."""
    return next((each.short.of(lang) for each in indicators() if each.id == id_), id_)
