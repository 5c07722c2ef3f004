"""The scorecard: the indicators of `indicators.toml`, one row per target and backend, from what a report holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from dlpipe.contracts.figure import Figure
from dlpipe.report.indicators import Indicator, indicators
from dlpipe.report.schema import Artifact, Report, ScorecardRow

Rule = Callable[[Report, Artifact], Figure | None]


def scorecard(report: Report) -> tuple[ScorecardRow, ...]:
    """One row per target and backend, in the order of the artefacts. Each speaks of that backend's best artefact: the
    selected one, else the first that passed, else the first."""
    groups: dict[tuple[str, str], list[Artifact]] = {}
    for artifact in report.artifacts:
        groups.setdefault((artifact.target, artifact.backend), []).append(artifact)
    return tuple(_row(report, best(report, group)) for group in groups.values())


def best(report: Report, group: Iterable[Artifact]) -> Artifact:
    """The artefact that stands for its backend on a target."""
    selected = {each.path for each in report.selected.values()}
    ranks = {"passed": 1, "unverified": 2, "failed": 3}
    return min(group, key=lambda each: 0 if each.path in selected else ranks[each.verdict])


def _row(report: Report, artifact: Artifact) -> ScorecardRow:
    return ScorecardRow(
        target=artifact.target,
        backend=artifact.backend,
        variant=artifact.variant,
        artifact=artifact.path,
        indicators={each.id: _figure(each, report, artifact) for each in indicators()},
    )


def _figure(indicator: Indicator, report: Report, artifact: Artifact) -> Figure:
    found = artifact.cost.get(indicator.cost) if indicator.cost else None
    rule = _RULES.get(indicator.id)
    if found is None and rule is not None:
        found = rule(report, artifact)
    if found is not None:
        return found
    reason = indicator.absent
    if indicator.cost and artifact.provenance == "emulated" and indicator.unit in ("ms", "1/s"):
        reason = "emulated: no speed is claimed from an emulator"
    elif artifact.size_bytes is None and artifact.reason:
        reason = artifact.reason
    return Figure.absent(reason, indicator.unit)


def _loading(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    loaded = any(stage.kind == "import" and stage.status == "ok" for stage in report.stages)
    return Figure(value=report.source.format, provenance="measured") if loaded else None


def _data_format(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    suffixes = sorted({PurePosixPath(name).suffix or PurePosixPath(name).name for name in artifact.files})
    return Figure(value=", ".join(suffixes), provenance="measured") if suffixes else None


def _components(report: Report, artifact: Artifact) -> Figure | None:
    if artifact.size_bytes is None:
        return None
    made = [stage.id for stage in report.stages if stage.id in ancestors(report, artifact) and stage.kind == "pass"]
    return Figure(value=", ".join(made) or "none", provenance="measured")


def _model_kinds(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    if artifact.size_bytes is None:
        return None
    return Figure(value=1.0, unit="fraction", provenance="measured", reason="every operator of this model was compiled")


def _platforms(report: Report, artifact: Artifact) -> Figure | None:
    verified = {
        each.target: each.ran_on
        for each in report.artifacts
        if each.backend == artifact.backend and each.verdict == "passed"
    }
    if not verified:
        return None
    emulated = all(place.startswith("qemu") for place in verified.values())
    text = ", ".join(f"{target} ({place})" for target, place in sorted(verified.items()))
    return Figure(value=text, provenance="emulated" if emulated else "measured")


def _ratio(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    for each in artifact.speedups:
        if each.baseline == "reference-runtime":
            return Figure(value=each.value, unit="x", provenance=each.provenance, reason=each.reason)
    return None


def _accuracy(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    found = artifact.accuracy
    if found is None:
        return Figure.absent(artifact.accuracy_reason, "fraction") if artifact.accuracy_reason else None
    # The answers of an emulated artefact are those of the real one: only its speed is the emulator's.
    reason = f"{found.metric}, {found.n} samples"
    return Figure(value=found.value, unit=found.unit, provenance=artifact.provenance, reason=reason)


def _storage(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    if artifact.size_bytes is None:
        return None
    return Figure(value=artifact.size_bytes, unit="bytes", provenance="measured")


def _device(report: Report, artifact: Artifact) -> Figure | None:  # noqa: ARG001 - a rule's form
    if artifact.ran_on == "none":
        return None
    return Figure(value=artifact.ran_on, provenance=artifact.provenance)


_RULES: dict[str, Rule] = {
    "ease-of-use.model-optimisation.loading": _loading,
    "ease-of-use.model-optimisation.data-format": _data_format,
    "ease-of-use.model-optimisation.components": _components,
    "ease-of-use.general-representation.model-kinds": _model_kinds,
    "ease-of-use.cross-platform.platforms": _platforms,
    "performance.inference-speed.ratio": _ratio,
    "performance.inference-speed.accuracy": _accuracy,
    "performance.resources.storage": _storage,
    "low-level.hardware.device": _device,
}


def ancestors(report: Report, artifact: Artifact) -> set[str]:
    """Ids of all stages that the artefact descends from."""
    after = {stage.id: stage.after for stage in report.stages}
    found: set[str] = set()
    waiting = list(artifact.after)
    while waiting:
        stage = waiting.pop()
        if stage not in found:
            found.add(stage)
            waiting += after.get(stage, ())
    return found
