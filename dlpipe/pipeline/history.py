"""Writes a finished run into the lineage: what was given, what made what, what was measured."""

from __future__ import annotations

from dlpipe.pipeline.lineage import ArtifactEntry, Lineage, MeasurementEntry, RunEntry, StageEntry
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome
from dlpipe.report.schema import Artifact, Report


def record_lineage(session: Session, report: Report) -> None:
    outcomes = session.executor.outcomes
    sources = {"model": _given(outcomes["sniff"], "source")}
    if "samples:read" in outcomes:
        sources["data"] = _given(outcomes["samples:read"], "data")
    Lineage(session.cache / "lineage.sqlite").record_run(
        RunEntry(
            run=report.run,
            created=report.created.isoformat(),
            command=report.command,
            sources=sources,
            stages=tuple(_stage(each) for each in outcomes.values() if each.status == "ok"),
            artifacts=tuple(
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
            ),
            measurements=tuple(found for each in report.artifacts if each.digest for found in _measurements(each)),
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


def _measurements(artifact: Artifact) -> list[MeasurementEntry]:
    assert artifact.digest is not None
    found = [
        MeasurementEntry(
            subject=artifact.digest,
            name=name,
            value=figure.value,
            unit=figure.unit,
            provenance=figure.provenance,
            reason=figure.reason,
        )
        for name, figure in artifact.cost.items()
    ]
    blocks = {
        "max_rel": artifact.fidelity.max_rel if artifact.fidelity else None,
        "accuracy": artifact.accuracy.value if artifact.accuracy else None,
    }
    found += [
        MeasurementEntry(subject=artifact.digest, name=name, value=value, provenance=artifact.provenance)
        for name, value in blocks.items()
        if value is not None
    ]
    return found
