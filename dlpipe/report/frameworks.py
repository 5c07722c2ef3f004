"""The training framework's part of the scorecard: what this conversion measured of it (`training.toml`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dlpipe.contracts.figure import Figure
from dlpipe.report.indicators import Indicator, training_indicators
from dlpipe.report.schema import FrameworkRow, Report, Stage


def framework(report: Report, packages: Mapping[str, int]) -> FrameworkRow:
    """packages: digest of a toolchain's lock -> how many packages it installs."""
    return FrameworkRow(
        framework=report.source.framework,
        tool=report.source.reference.tool,
        indicators={each.id: _figure(each, report, packages) for each in training_indicators()},
    )


def _figure(indicator: Indicator, report: Report, packages: Mapping[str, int]) -> Figure:
    reference = _stage(report, "reference")
    found = reference.cost.get(indicator.cost) if indicator.cost and reference else None
    if found is None and indicator.id == "stability.libraries" and reference is not None:
        count = packages.get(reference.toolchain or "")
        found = _measured(count, "count", "of the toolchain that ran the original") if count else None
    if found is None and indicator.id in _RULES:
        found = _RULES[indicator.id](report)
    return found if found is not None else Figure.absent(indicator.absent, indicator.unit)


def _stage(report: Report, kind: str) -> Stage | None:
    return next((each for each in reversed(report.stages) if each.kind == kind and each.status == "ok"), None)


def _measured(value: float | int | str, unit: str | None = None, reason: str | None = None) -> Figure:
    return Figure(value=value, unit=unit, provenance="measured", reason=reason)


def _version(report: Report) -> Figure | None:
    reference = report.source.reference
    return _measured(reference.tool) if reference.kind == "original" and reference.tool else None


def _loading(report: Report) -> Figure | None:
    return _measured(report.source.format) if _stage(report, "import") else None


def _error(report: Report) -> Figure | None:
    stage = _stage(report, "import")
    if stage is None or stage.fidelity is None or stage.fidelity.max_rel is None:
        return None
    return _measured(stage.fidelity.max_rel, None, f"of the outputs' range, on {stage.fidelity.samples} samples")


def _loss(report: Report) -> Figure | None:
    stage = _stage(report, "import")
    if stage is None or stage.accuracy is None or stage.accuracy.drop is None:
        return None
    found = stage.accuracy
    unit = "points" if found.unit in ("fraction", "points") else found.unit
    return _measured(found.drop or 0.0, unit, f"{found.metric}, {found.n} samples")


def _routes(report: Report) -> Figure | None:
    refused = [note for note in report.notes if note.message.startswith("the route ")]
    return _measured(len(refused), "count") if _stage(report, "import") else None


def _targets(report: Report) -> Figure | None:
    reached = {each.target: each.ran_on for each in report.artifacts if each.verdict == "passed"}
    if not reached:
        return None
    text = ", ".join(f"{target} ({place})" for target, place in sorted(reached.items()))
    emulated = all(place.startswith("qemu") for place in reached.values())
    return Figure(value=text, provenance="emulated" if emulated else "measured")


def _operators(report: Report) -> Figure | None:
    return _measured(1.0, "fraction", "every operator of this model was imported") if _stage(report, "import") else None


def _custom(report: Report) -> Figure | None:
    """Operators of the imported model that are none of ONNX's own. None where the report has not all of its nodes."""
    imported = report.views[0] if report.views else None
    if imported is None or len(imported.nodes) < imported.node_count or not imported.nodes:
        return None
    found = sorted({each.op for each in imported.nodes if "::" in each.op})
    said = "these of the imported model are no operators of ONNX's own" if found else "all became operators of ONNX"
    return _measured(", ".join(found) or "none needed", reason=said)


def _hardware(report: Report) -> Figure | None:
    stage, environment = _stage(report, "reference"), report.environment
    if stage is None or environment is None or not environment.machine.get("cpu"):
        return None
    return _measured(str(environment.machine["cpu"]), reason="the original ran on the processor only, as the reference")


def _accuracy(report: Report) -> Figure | None:
    stage = _stage(report, "reference")
    if stage is None or stage.accuracy is None:
        return None
    return _measured(stage.accuracy.value, stage.accuracy.unit, f"{stage.accuracy.metric}, {stage.accuracy.n} samples")


_RULES: dict[str, Callable[[Report], Figure | None]] = {
    "ecosystem.contributors": _version,
    "ease-of-use.reuse.loading": _loading,
    "ease-of-use.reuse.error": _error,
    "ease-of-use.reuse.loss": _loss,
    "ease-of-use.reuse.routes": _routes,
    "ease-of-use.extension": _custom,
    "ease-of-use.cross-platform": _targets,
    "ease-of-use.model-library": _operators,
    "performance.own-applications": _accuracy,
    "performance.hardware": _hardware,
}
