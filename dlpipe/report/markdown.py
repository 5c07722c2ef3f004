"""The report as Markdown, for a pull request or a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dlpipe.report import summary, words
from dlpipe.report.schema import Report


def render_markdown(report: Report) -> str:
    """GitHub-flavoured Markdown. Names from the model are escaped: they can neither format nor link."""
    head = summary.headline(report)
    lines = [f"# {text(head.text)}", "", f"`{code(report.source.path)}`, {text(report.source.format)}, {head.state}."]
    if report.stages:
        rows = [
            [text(stage.title or stage.id), stage.status, stage.cache or words.NOTHING, words.fidelity(stage.fidelity),
             words.drop(stage.accuracy), words.value(stage.cost.get("latency_p50")),
             words.speedup(summary.main_speedup(stage.speedups)), words.value(stage.cost.get("size"))]
            for stage in report.stages
        ]  # fmt: skip
        columns = ("stage", "status", "cache", "error", "drop", "latency", "speed-up", "size")
        lines += ["", "## Stages", "", *table(columns, rows)]
    if report.artifacts:
        rows = [
            [text(each.target), text(summary.name(each)), each.verdict, text(each.ran_on),
             words.fidelity(each.fidelity), words.drop(each.accuracy),
             words.size(each.size_bytes) if each.size_bytes is not None else words.NOTHING, text(each.reason or "")]
            for each in report.artifacts
        ]  # fmt: skip
        columns = ("target", "artefact", "verdict", "ran on", "error", "drop", "size", "why")
        lines += ["", "## Artefacts", "", *table(columns, rows)]
    for target, choice in report.selected.items():
        why = text(choice.reason or choice.basis.replace("-", " "))
        lines += ["", f"Selected for {text(target)}: `{code(choice.path)}` ({why})."]
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
