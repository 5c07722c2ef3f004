"""The report as Markdown, for a pull request or a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dlpipe.report import grouping, summary, words
from dlpipe.report.schema import Artifact, Report, Stage


def render_markdown(report: Report) -> str:
    """GitHub-flavoured Markdown. Names from the model are escaped: they can neither format nor link."""
    head = summary.headline(report)
    lines = [
        f"# {text(head.text)}",
        "",
        f"`{code(summary.model(report))}`, {text(report.source.format)}, {head.state}.",
    ]
    original = summary.original(report)
    if original:
        score = f"{words.score(original)} of {original.n:,} samples"
        lines += [
            "",
            f"{text(original.metric.capitalize())} of the original: {score}. The tables give what was lost of it.",
        ]
    if report.stages:
        columns = ("stage", "status", "cache", "error", summary.loss(report), "latency", "speed-up", "size")
        lines += ["", "## Stages", "", *table(columns, stage_rows(report))]
    if report.artifacts:
        rows = [
            [text(each.target), text(summary.name(each)), summary.verdict(each), text(each.ran_on),
             words.fidelity(each.fidelity), words.drop(each.accuracy),
             words.size(each.size_bytes) if each.size_bytes is not None else words.NOTHING,
             text(each.reason or summary.parts(each))]
            for each in report.artifacts
        ]  # fmt: skip
        columns = ("target", "artefact", "verdict", "ran on", "error", summary.loss(report), "size", "why")
        lines += ["", "## Artefacts", "", *table(columns, rows)]
    if timed := summary.timed(report.artifacts):
        lines += ["", "## Latency, memory and limit", "", *table(_SPEED, [_speed(each) for each in timed])]
        if (share := summary.crowd(report)) is not None:
            lines += ["", f"{words.busy(share)}."]
    estimates = [
        [text(each.target), text(summary.name(each)), text(name), words.value(figure), figure.provenance,
         text(figure.reason or "")]
        for each in report.artifacts
        for name, figure in summary.estimates(each).items()
    ]  # fmt: skip
    if estimates:
        heads = ("target", "artefact", "figure", "value", "provenance", "from")
        lines += ["", "## What the tools say of their artefacts", "", *table(heads, estimates)]
    if agreement := summary.agreement(report):
        lines += ["", f"{text(agreement)}."]
    for target, choice in report.selected.items():
        why = text(choice.reason or choice.basis.replace("-", " "))
        others = summary.runners_up(choice)
        lines += [
            "",
            f"Selected for {text(target)}: `{code(choice.path)}` ({why}{f'; {text(others)}' if others else ''}).",
        ]
    if report.gates:
        verdict = {True: "passed", False: "**failed**", None: "unverified"}
        rows = [
            [text(gate.name), text(gate.subject), verdict[gate.passed], words.limit(gate.value, gate.unit),
             words.limit(gate.limit, gate.unit), text(gate.reason or "")]
            for gate in report.gates
        ]  # fmt: skip
        lines += ["", "## Gates", "", *table(("gate", "subject", "result", "value", "limit", "why"), rows)]
    if report.notes:
        lines += ["", "## Notes", "", *(f"- {note.level}: {text(note.message)}" for note in report.notes)]
    if report.command:
        lines += ["", "## Reproduce", "", f"    {words.plain(report.command)}"]
    return "\n".join(lines) + "\n"


_SPEED = (
    "target", "artefact", "median", "95 % interval", "p95", "p99", "cv", "cold start", "warm start", "memory",
    "energy", "of this machine's limit", "why",
)  # fmt: skip


def _speed(artifact: Artifact) -> list[str]:
    """What was measured of one where it runs for real, and what held it: the limit, or noise."""
    cost = artifact.cost
    keys = (
        "latency_p95", "latency_p99", "latency_cv", "cold_start", "warm_start", "peak_memory", "energy", "roofline",
    )  # fmt: skip
    reasons = [each.reason for each in (cost["latency_p50"], cost.get("roofline")) if each is not None and each.reason]
    return [
        text(artifact.target), text(summary.name(artifact)), words.value(cost["latency_p50"]),
        words.interval_of(cost["latency_p50"]), *(words.value(cost.get(key)) for key in keys), text("; ".join(reasons)),
    ]  # fmt: skip


def stage_rows(report: Report) -> list[list[str]]:
    """Neighbours that read the same share a row."""
    rows = []
    for run in grouping.alike(summary.listed(report), _figures):
        cached = dict.fromkeys(stage.cache or words.NOTHING for stage in run)
        status, *figures = _figures(run[0])
        names = ", ".join(text(stage.title or stage.id) for stage in run)
        rows.append([names, status, ", ".join(cached), *figures])
    return rows


def _figures(stage: Stage) -> tuple[str, ...]:
    return (
        stage.status,
        words.fidelity(stage.fidelity),
        words.drop(stage.accuracy),
        words.value(stage.cost.get("latency_p50")),
        words.speedup(summary.main_speedup(stage.speedups)),
        words.value(stage.cost.get("size")),
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def text(raw: str) -> str:
    """Escape what Markdown or the HTML in it would act on."""
    escaped = re.sub(r"([\\`*_{}\[\]#|~!$@])", r"\\\1", words.plain(raw))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(raw: str) -> str:
    """What may stand between backticks, also in a table."""
    return words.plain(raw).replace("`", "'").replace("|", "¦")
