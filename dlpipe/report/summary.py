"""What a report says in one line, and which of its figures are the ones to show first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.report import words
from dlpipe.report.schema import Artifact, Measured, Report, Stage

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
    built = [
        each for each in report.artifacts if each.target in missing and each.verdict == "unverified" and each.digest
    ]
    unverified = dict.fromkeys(each.target for each in built)
    missing = [target for target in missing if target not in unverified]
    if unverified and not missing:
        return Headline("unverified", f"Built but not verified for {', '.join(map(words.plain, unverified))}")
    if missing:
        return Headline("failed", f"Nothing to ship for {', '.join(map(words.plain, missing))}")
    unsure = [each for each in chosen if each.verdict != "passed"]
    shown = "; ".join(f"{words.plain(each.target)}: {name(each)}" for each in chosen)
    if unsure:
        return Headline("unverified", f"Chosen but not verified for {shown}")
    return Headline("passed", f"Ready for {shown}")


def name(artifact: Artifact) -> str:
    return words.plain(f"{artifact.backend} {artifact.variant}")


def model(report: Report) -> str:
    """The base name of the user's model; its path may be long, and says little to others."""
    return words.plain(PurePath(report.source.path).name or report.source.path)


def took(report: Report) -> str | None:
    """How long the run took, and whether it computed anything."""
    if report.seconds is None:
        return None
    states = {stage.cache if stage.status == "ok" else stage.status for stage in report.stages} - {"skipped"}
    if states == {"hit"}:
        seconds = max(0.1, report.seconds)
        return f"answered from the cache in {f'{seconds:.1f} s' if seconds < 10 else words.duration(1000 * seconds)}"
    return f"took {words.duration(1000 * report.seconds)}"


def original(report: Report) -> Accuracy | None:
    """The accuracy of the model as it was given, where it ran on labelled data."""
    return next((stage.accuracy for stage in report.stages if stage.kind == "reference" and stage.accuracy), None)


def selected(report: Report, target: str) -> Artifact | None:
    """The artefact chosen for a target."""
    path = report.selected[target].path if target in report.selected else None
    return next((each for each in report.artifacts if each.path == path), None)


def listed(report: Report) -> list[Stage]:
    """The stages of a table: what was fed in and compared with, then what makes the models. A compilation shows as its
    artefact."""
    models = [stage for stage in report.stages if stage.kind != "compile"]
    return sorted(models, key=lambda stage: stage.kind not in ("data", "reference"))


def accuracy(block: Measured) -> str:
    """The drop against the original; the value itself where there is none, as of the original."""
    if block.accuracy is None or block.accuracy.drop is not None:
        return words.drop(block.accuracy)
    return words.score(block.accuracy)


def main_speedup(speedups: Iterable[Speedup]) -> Speedup | None:
    """Against the original where that is known, else against the reference runtime."""
    known = [each for each in speedups if each.value is not None]
    return next((each for each in known if each.baseline == "original"), known[0] if known else None)


def baseline(found: Speedup) -> str:
    return "the original" if found.baseline == "original" else "ONNX Runtime on the imported model"
