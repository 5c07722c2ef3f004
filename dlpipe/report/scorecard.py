"""The scorecard: the indicators of `indicators.toml`, one row per target and backend, from what a report holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from dlpipe.contracts.figure import Figure
from dlpipe.report.indicators import Indicator, indicators
from dlpipe.report.schema import Artifact, Report, ScorecardRow

_ENCRYPTION = "`dlpipe package encrypt` takes it, and its loader decrypts into memory; it was not done in this run"

Rule = Callable[[Report, Artifact], Figure | None]


def scorecard(report: Report, unencrypted: Mapping[str, str | None] | None = None) -> tuple[ScorecardRow, ...]:
    """One row per target and backend, in the order of the artefacts. Each speaks of that backend's best artefact: the
    selected one, else the first that passed, else the first.

    unencrypted: path of an artefact -> why it cannot be shipped encrypted, None where it can.
    """
    groups: dict[tuple[str, str], list[Artifact]] = {}
    for artifact in report.artifacts:
        groups.setdefault((artifact.target, artifact.backend), []).append(artifact)
    rows = (_row(report, best(report, group)) for group in groups.values())
    return tuple(_with_encryption(row, unencrypted or {}) for row in rows)


def _with_encryption(row: ScorecardRow, unencrypted: Mapping[str, str | None]) -> ScorecardRow:
    if row.artifact is None or row.artifact not in unencrypted:
        return row
    why_not = unencrypted[row.artifact]
    can = Figure(value="AES-256-GCM", provenance="measured", reason=_ENCRYPTION)
    figure = can if why_not is None else Figure.absent(why_not)
    return row.model_copy(update={"indicators": {**row.indicators, "security.encryption": figure}})


def best(report: Report, group: Iterable[Artifact]) -> Artifact:
    """The artefact that stands for its backend on a target: the one that was chosen, else as one would be chosen, the
    fastest of those that passed, or the smallest where no speed is known."""
    selected = {each.path for each in report.selected.values()}
    ranks = {"passed": 1, "unverified": 2, "failed": 3}

    def order(each: Artifact) -> tuple[int, float, float]:
        latency = each.cost.get("latency_p50")
        speed = latency.value if latency is not None and isinstance(latency.value, int | float) else float("inf")
        rank = 0 if each.path in selected else ranks[each.verdict]
        return rank, speed, float("inf") if each.size_bytes is None else each.size_bytes

    return min(group, key=order)


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
    elif artifact.reason and (artifact.size_bytes is None or _needs_a_run(indicator, artifact)):
        reason = artifact.reason
    return Figure.absent(reason, indicator.unit)


def _needs_a_run(indicator: Indicator, artifact: Artifact) -> bool:
    """Whether nothing is known because it could not be executed here."""
    return artifact.ran_on == "none" and (indicator.id.startswith("performance.") or indicator.id in _SEEN_RUNNING)


def _loading(report: Report, _artifact: Artifact) -> Figure | None:
    loaded = any(stage.kind == "import" and stage.status == "ok" for stage in report.stages)
    return Figure(value=report.source.format, provenance="measured") if loaded else None


def _data_format(_report: Report, artifact: Artifact) -> Figure | None:
    suffixes = sorted({PurePosixPath(name).suffix or PurePosixPath(name).name for name in artifact.files})
    return Figure(value=", ".join(suffixes), provenance="measured") if suffixes else None


def _components(report: Report, artifact: Artifact) -> Figure | None:
    if artifact.size_bytes is None:
        return None
    made = [stage.id for stage in report.stages if stage.id in ancestors(report, artifact) and stage.kind == "pass"]
    return Figure(value=", ".join(made) or "none", provenance="measured")


def _model_kinds(_report: Report, artifact: Artifact) -> Figure | None:
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


def _ratio(_report: Report, artifact: Artifact) -> Figure | None:
    for each in artifact.speedups:
        if each.baseline == "reference-runtime":
            return Figure(value=each.value, unit="x", provenance=each.provenance, reason=each.reason)
    return None


def _accuracy(_report: Report, artifact: Artifact) -> Figure | None:
    found = artifact.accuracy
    if found is None:
        return Figure.absent(artifact.accuracy_reason, "fraction") if artifact.accuracy_reason else None
    # The answers of an emulated artefact are those of the real one: only its speed is the emulator's.
    reason = f"{found.metric}, {found.n} samples"
    return Figure(value=found.value, unit=found.unit, provenance=artifact.provenance, reason=reason)


def _storage(_report: Report, artifact: Artifact) -> Figure | None:
    if artifact.size_bytes is None:
        return None
    return Figure(value=artifact.size_bytes, unit="bytes", provenance="measured")


def _toolset(report: Report, artifact: Artifact) -> Figure | None:
    compiled = next((stage for stage in report.stages if stage.id in artifact.after and stage.kind == "compile"), None)
    if compiled is None or artifact.size_bytes is None:
        return None
    reason = "what compiled it; the kernel libraries inside were not read"
    return Figure(value=f"{compiled.tool} {compiled.tool_version or ''}".strip(), provenance="measured", reason=reason)


def _device(_report: Report, artifact: Artifact) -> Figure | None:
    if artifact.ran_on == "none":
        return None
    return Figure(value=artifact.ran_on, provenance=artifact.provenance)


_SEEN_RUNNING = ("ease-of-use.cross-platform.platforms", "low-level.hardware.device")
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
    "low-level.instruction-sets.toolset": _toolset,
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
