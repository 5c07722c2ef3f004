"""Writes a finished run into the lineage: what was given, what made what, what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlpipe.contracts.figure import Figure, Provenance
from dlpipe.contracts.measurement import Accuracy, Fidelity
from dlpipe.pipeline.lineage import ArtifactEntry, MeasurementEntry, RunEntry, StageEntry, users_lineage
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome
from dlpipe.report.compression import Compression
from dlpipe.report.schema import Report


def record_lineage(session: Session, report: Report) -> None:
    """Of a conversion: its artefacts."""
    artifacts = [
        ArtifactEntry(
            digest=each.digest,
            target=each.target,
            backend=each.backend,
            variant=each.variant,
            verdict=each.verdict,
            path=each.path,
        )
        for each in report.artifacts
        if each.digest
    ]
    measured = [
        found
        for each in report.artifacts
        if each.digest
        for found in _measurements(each.digest, each.cost, each.fidelity, each.accuracy, each.provenance)
    ]
    _record(session, report, artifacts, measured)


def record_compression(session: Session, report: Compression) -> None:
    """Of a compression: the model that was written."""
    chosen = report.chosen
    if chosen is None or chosen.digest is None:
        return
    found = chosen.figures
    made = ArtifactEntry(
        digest=chosen.digest,
        target=report.target or "this machine",
        backend="onnx",
        variant=chosen.recipe,
        verdict="passed" if found.fidelity is not None and found.fidelity.passed else "unverified",
        path=report.path,
    )
    _record(session, report, [made], _measurements(chosen.digest, found.cost, found.fidelity, found.accuracy))


def _record(
    session: Session,
    report: Report | Compression,
    artifacts: Iterable[ArtifactEntry],
    measured: Iterable[MeasurementEntry],
) -> None:
    outcomes = session.executor.outcomes
    sources = {"model": _given(outcomes["sniff"], "source")}
    if "samples:read" in outcomes:
        sources["data"] = _given(outcomes["samples:read"], "data")
    users_lineage().record_run(
        RunEntry(
            run=report.run,
            created=report.created.isoformat(),
            command=report.command,
            sources=sources,
            stages=tuple(_stage(each) for each in outcomes.values() if each.status == "ok"),
            artifacts=tuple(artifacts),
            measurements=tuple(measured),
        )
    )


def _given(outcome: Outcome, name: str) -> str:
    return outcome.stage.inputs[name].removeprefix("tree:")


def _stage(outcome: Outcome) -> StageEntry:
    assert outcome.record is not None
    parts = outcome.record.parts
    return StageEntry(
        stage=outcome.stage.id,
        kind=outcome.stage.kind,
        key=outcome.record.key,
        output=outcome.record.output,
        inputs=parts.get("inputs", {}),
        parameters=parts.get("params", {}),
        toolchains={**parts.get("toolchain", {}), **parts.get("resources", {})},
    )


def _measurements(
    digest: str,
    cost: Mapping[str, Figure],
    fidelity: Fidelity | None,
    accuracy: Accuracy | None,
    provenance: Provenance = "measured",
) -> list[MeasurementEntry]:
    found = [
        MeasurementEntry(
            subject=digest,
            name=name,
            value=figure.value,
            unit=figure.unit,
            provenance=figure.provenance,
            reason=figure.reason,
        )
        for name, figure in cost.items()
    ]
    blocks = {
        "max_rel": fidelity.max_rel if fidelity else None,
        "accuracy": accuracy.value if accuracy else None,
    }
    found += [
        MeasurementEntry(subject=digest, name=name, value=value, provenance=provenance)
        for name, value in blocks.items()
        if value is not None
    ]
    return found
