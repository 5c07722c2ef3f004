"""What a report says in one line, and which of its figures are the ones to show first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dlpipe.contracts.measurement import Speedup
from dlpipe.report import words
from dlpipe.report.schema import Artifact, Report

State = Literal["passed", "failed", "unverified"]


@dataclass(frozen=True, slots=True)
class Headline:
    state: State
    text: str


def headline(report: Report) -> Headline:
    """`passed`: every target has a selected artefact that ran and agreed. `unverified`: one of these could not be
    checked. `failed`: a target is left without one, or a stage failed before there was any."""
    targets = list(dict.fromkeys(each.target for each in report.artifacts))
    missing = [target for target in targets if target not in report.selected]
    chosen = [each for each in (selected(report, target) for target in report.selected) if each is not None]
    if not targets:
        broken = [stage.id for stage in report.stages if stage.status == "failed"]
        broken += [gate.name for gate in report.gates if gate.passed is False]
        if broken:
            return Headline("failed", f"Failed: {', '.join(map(words.plain, broken))}")
        return Headline("unverified", "No artefact was made")
    if missing:
        return Headline("failed", f"Nothing to ship for {', '.join(map(words.plain, missing))}")
    unsure = [each for each in chosen if each.verdict != "passed"]
    shown = "; ".join(f"{words.plain(each.target)}: {name(each)}" for each in chosen)
    if unsure:
        return Headline("unverified", f"Chosen but not verified for {shown}")
    return Headline("passed", f"Ready for {shown}")


def name(artifact: Artifact) -> str:
    return words.plain(f"{artifact.backend} {artifact.variant}")


def selected(report: Report, target: str) -> Artifact | None:
    """The artefact chosen for a target."""
    path = report.selected[target].path if target in report.selected else None
    return next((each for each in report.artifacts if each.path == path), None)


def main_speedup(speedups: Iterable[Speedup]) -> Speedup | None:
    """Against the original where that is known, else against the reference runtime."""
    known = [each for each in speedups if each.value is not None]
    return next((each for each in known if each.baseline == "original"), known[0] if known else None)


def baseline(found: Speedup) -> str:
    return "the original" if found.baseline == "original" else "ONNX Runtime on the imported model"
