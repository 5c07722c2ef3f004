"""The report as tables for a terminal of 80 columns. Nothing in it is told by colour alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlpipe.contracts.figure import Figure
from dlpipe.report import grouping, summary, words
from dlpipe.report.console import PlainConsole
from dlpipe.report.footnotes import Footnotes
from dlpipe.report.languages import ENGLISH, Language
from dlpipe.report.schema import Artifact, Measured, Report, Stage

_NOISY = "~ too noisy to say: the middle half of its runs spreads over more than a quarter of the median"
_STYLES = {
    "passed": "green",
    "ok": "green",
    "failed": "bold red",
    "unverified": "yellow",
    "skipped": "dim",
    "ruled out": "dim",
    "warning": "yellow",
    "error": "bold red",
    "info": "dim",
}


def render_terminal(
    report: Report, *, color: bool = True, console: Console | None = None, t: Language = ENGLISH
) -> None:
    """Print the report. `color`: False for none; NO_COLOR and an output that is no terminal mean the same."""
    out = console or PlainConsole(no_color=not color, highlight=False)
    notes = Footnotes()
    head = summary.headline(report)
    out.print()
    out.print(Text(f"{t(head.lead)} {head.what}".strip(), style=_STYLES[head.state]))
    source, samples = report.source, report.samples
    details = [summary.model(report), words.plain(source.format)]
    details += [t("compared with {what}", what=words.plain(source.reference.tool or t(source.reference.kind)))]
    if samples:
        details.append(t("on {count} samples ({source})", count=samples.count, source=words.plain(t(samples.source))))
    original = summary.original(report)
    if original:
        values = {"metric": words.plain(original.metric), "score": words.score(original), "count": f"{original.n:,}"}
        details.append(t("the original's {metric}: {score} of {count}", **values))
    out.print(Text(" · ".join(details), style="dim"))
    out.print()
    if report.stages:
        out.print(_stages(report, notes, t))
    for target in dict.fromkeys(each.target for each in report.artifacts):
        out.print()
        out.print(_artifacts(report, target, notes, t))
        for artifact in report.artifacts:
            if artifact.target == target and artifact.parts:
                out.print(Text(f"  {summary.name(artifact)}: {t('In parts: {parts}', parts=summary.parts(artifact))}"))
            if artifact.target == target and (estimates := summary.estimates(artifact)):
                out.print(_estimates(artifact, estimates, notes, t))
        if timed := summary.timed(each for each in report.artifacts if each.target == target):
            out.print()
            out.print(_speed(timed, notes, t))
            if any(words.about(each.cost["latency_p50"]).startswith("~") for each in timed):
                out.print(Text(t(_NOISY), style="dim"))
            if (share := summary.crowd(report)) is not None:
                out.print(Text(t.said(words.busy(share)), style="dim"))
    notes.print(out, t)
    if agreement := summary.agreement(report):
        out.print(Text(t.said(agreement)))
    _chosen(report, out, t)
    _gates(report, out, t)
    for note in report.notes:
        said = words.plain(t.said(note.message))
        out.print(Text(said if note.level == "info" else f"{t(note.level)}: {said}", style=_STYLES[note.level]))


def _table(title: str, *columns: str, left: int) -> Table:
    """left: how many columns hold words and not figures."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="left" if place < left else "right", header_style="dim")
    return table


def _state(state: str, t: Language) -> Text:
    return Text(t(state), style=_STYLES[state])


def _stages(report: Report, notes: Footnotes, t: Language) -> Table:
    """What makes the models; neighbours that read the same share a row."""
    columns = ("stage", "status", "error", summary.loss(report, "acc. loss"), "latency", "speed-up", "size")
    table = _table(t("Stages"), *map(t.said, columns), left=2)
    rows = [(stage, _stage(stage, notes, t)) for stage in summary.listed(report)]
    for run in grouping.alike(rows, lambda row: tuple(cell.plain for cell in row[1])):
        stages, (status, *figures) = [stage for stage, _ in run], run[0][1]
        cached = {stage.cache == "hit" for stage in stages}
        if True in cached and status.plain == t("ok"):
            status = Text(t("cached") if cached == {True} else t("ok, partly cached"), style=_STYLES["ok"])
        table.add_row(Text(grouping.label([words.plain(each.title or each.id) for each in stages])), status, *figures)
    return table


def _stage(stage: Stage, notes: Footnotes, t: Language) -> tuple[Text, ...]:
    status = Text.assemble(_state(stage.status, t), notes.mark("", stage.reason))
    latency, size = _cost(stage, "latency_p50", notes, t), _cost(stage, "size", notes, t)
    error, accuracy, speed = _measured(stage, notes)
    return status, error, accuracy, latency, speed, size


def _artifacts(report: Report, target: str, notes: Footnotes, t: Language) -> Table:
    columns = ("artefact", "verdict", "ran on", "error", summary.loss(report, "acc. loss"), "speed-up", "size")
    table = _table(t("Artefacts for {target}", target=words.plain(target)), *map(t.said, columns), left=3)
    chosen = {each.path for each in report.selected.values()}
    for artifact in report.artifacts:
        if artifact.target != target:
            continue
        verdict = Text.assemble(_state(summary.verdict(artifact), t), notes.mark("", _of_any(artifact.reason)))
        table.add_row(
            Text(("* " if artifact.path in chosen else "  ") + summary.name(artifact)),
            verdict,
            Text(words.plain(artifact.ran_on)),
            *_measured(artifact, notes),
            words.size(artifact.size_bytes) if artifact.size_bytes is not None else words.NOTHING,
        )
    return table


def _of_any(reason: str | None) -> str | None:
    """Without the artefact's own name, so that what several have in common is one note."""
    return re.sub(r"^(\w+):\S+ failed: ", r"\1 failed: ", reason) if reason else None


def _estimates(artifact: Artifact, estimates: Mapping[str, Figure], notes: Footnotes, t: Language) -> Text:
    """One line: what the backend's tool says of its artefact."""
    line = Text(f"  {summary.name(artifact)}:")
    for place, (name, figure) in enumerate(estimates.items()):
        mark = f" {t(words.MARKS[figure.provenance])}" if figure.value is not None else ""
        said = notes.mark(f" {words.plain(t(name))} {words.value(figure)}{mark}", figure.reason)
        line.append(Text.assemble("," if place else "", said))
    return line


def _speed(timed: Sequence[Artifact], notes: Footnotes, t: Language) -> Table:
    """What was measured of artefacts where they run for real. `of limit`: of what that machine could do at most."""
    columns = ("artefact", "median", "95 % interval", "p95", "warm start", "memory", "of limit")
    table = _table(t("Latency and memory"), *map(t, columns), left=1)
    for artifact in timed:
        cost = artifact.cost
        median = cost["latency_p50"]
        table.add_row(
            Text(f"  {summary.name(artifact)}"),
            Text(words.about(median)),
            words.interval_of(median),
            *(
                notes.mark(words.value(each), each.reason if each is not None and each.value is None else None)
                for each in map(cost.get, ("latency_p95", "warm_start", "peak_memory", "roofline"))
            ),
        )
    return table


def _measured(block: Stage | Artifact, notes: Footnotes) -> tuple[Text, Text, Text]:
    """Error, accuracy and speed-up of a stage or artefact, each with its reason where there is none."""
    error = notes.mark(words.fidelity(block.fidelity), block.fidelity_reason if block.fidelity is None else None)
    if block.fidelity is not None and block.fidelity.passed is False:
        error = Text.assemble(error, (" !", _STYLES["failed"]))
    loss = notes.mark(words.drop(block.accuracy), _no_drop(block))
    fastest = summary.main_speedup(block.speedups)
    if fastest is not None:
        return error, loss, notes.mark(words.speedup(fastest), fastest.reason if fastest.noisy else None)
    absent = [each.reason for each in block.speedups]
    latency = block.cost.get("latency_p50")
    if not absent and latency is not None and latency.value is None:
        absent = [latency.reason]
    return error, loss, notes.mark(words.NOTHING, absent[0] if absent else None)


def _no_drop(block: Measured) -> str | None:
    if block.accuracy is None:
        return block.accuracy_reason
    is_original = isinstance(block, Stage) and block.kind == "reference"
    return block.accuracy.reason if block.accuracy.drop is None and not is_original else None


def _cost(stage: Stage, key: str, notes: Footnotes, t: Language) -> Text:
    figure = stage.cost.get(key)
    text = notes.mark(words.value(figure), figure.reason if figure and figure.value is None else None)
    mark = t(words.MARKS[figure.provenance]) if figure and figure.value is not None else ""
    return Text.assemble(text, f" {mark}") if mark else text


def _chosen(report: Report, out: Console, t: Language) -> None:
    for target, each in report.selected.items():
        artifact = summary.selected(report, target)
        what = summary.name(artifact) if artifact else words.plain(each.path)
        why = words.plain(t.said(each.reason or each.basis.replace("-", " ")))
        out.print(
            Text.assemble("\n", (t("Selected for {target}", target=words.plain(target)), "bold"), f": {what} ({why})")
        )
        if others := summary.runners_up(each):
            out.print(Text(f"  {words.plain(t.said(others))}"))
        out.print(Text(f"  {words.plain(each.path)}\n", style="dim"))


def _gates(report: Report, out: Console, t: Language) -> None:
    """Only the gates that did not pass are worth a line here; why something never ran, the table of artefacts says."""
    never_ran = {each.path for each in report.artifacts if each.fidelity is None and each.reason}
    for gate in report.gates:
        if gate.passed is True or (gate.name == "fidelity" and gate.subject in never_ran):
            continue
        state = "failed" if gate.passed is False else "unverified"
        limit, value = words.limit(gate.limit, gate.unit), words.limit(gate.value, gate.unit)
        names = {"name": words.plain(gate.name), "subject": words.plain(gate.subject)}
        text = " " + t("{name} of {subject}: {value}, limit {limit}", **names, value=t.said(value), limit=t.said(limit))
        if gate.reason:
            text += f" ({words.plain(t.said(gate.reason))})"
        out.print(Text.assemble(_state(state, t), text))
