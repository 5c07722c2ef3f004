"""This machine's own limit, and how near what ran on it comes to that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.json import digest
from dlpipe.measure.limits import limits_call
from dlpipe.measure.machine import fingerprint
from dlpipe.measure.roofline import Limits, intensity, share, work_of
from dlpipe.pipeline.artifacts import Built
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.timing import alone
from dlpipe.report.schema import Artifact, Measured
from dlpipe.report.schema import Stage as ReportStage

STAGE = "machine-limits"
_NOT_OURS = "it ran on a device whose limits were not measured"


def machine_limits(session: Session) -> Limits | str:
    """Measured once for a machine (some seconds), then from the store; or the reason why they are not known."""
    stage = Stage(STAGE, "timing", limits_call(digest(fingerprint())), required=False)
    with alone(session.cache):
        outcome = session.executor.run([stage])[STAGE]
    if outcome.status != "ok" or outcome.record is None:
        return f"this machine's limits are not known: {outcome.reason}"
    try:
        return Limits.read(outcome.value, outcome.record.created[:10])
    except (KeyError, TypeError, ValueError) as error:
        return f"this machine's limits are not known: {error}"


def against_limits(
    cost: Mapping[str, Figure],
    described: Mapping[str, Any] | None,
    limits: Limits | str,
    *,
    all_integer: bool = False,
) -> dict[str, Figure]:
    """What a model's cost says more: "intensity", and "roofline" where its latency was measured. limits: of the machine
    that it was measured on, or why they are not known. all_integer: as of `work_of`."""
    work = work_of(described, all_integer=all_integer) if described is not None else "its graph was not looked at"
    if isinstance(work, str):
        return {"roofline": Figure.absent(work, "fraction")}
    found = {"intensity": intensity(work)}
    latency = cost.get("latency_p50")
    if latency is None or not isinstance(latency.value, float) or latency.value <= 0:
        why = latency.reason if latency is not None and latency.reason else "it was not timed in this run"
        return {**found, "roofline": Figure.absent(why, "fraction")}
    known = Figure.absent(limits, "fraction") if isinstance(limits, str) else share(work, limits, latency.value)
    return {**found, "roofline": known}


def stage_against(session: Session, stage: ReportStage, imported: str, limits: Limits | str) -> ReportStage:
    """A stage of the report with that in its cost, where it was timed. imported: id of the stage whose graph stands for
    the original's."""
    more = _more(session, stage, imported if stage.kind == "reference" else stage.id, limits)
    return stage.model_copy(update={"cost": {**stage.cost, **more}})


def artifact_against(session: Session, artifact: Artifact, built: Built, limits: Limits | str) -> Artifact:
    """The same for an artefact, whose work is that of the IR that it was compiled from."""
    candidate = built.candidate
    compiled = session.executor.outcomes.get(candidate.id)
    if artifact.ran_on != "native" or compiled is None or session.toolchains.devices(compiled.stage.call.toolchain):
        limits = _NOT_OURS
    all_integer = candidate.variant == "int8" and candidate.calibrates
    more = _more(session, artifact, built.ir, limits, all_integer=all_integer)
    return artifact.model_copy(update={"cost": {**artifact.cost, **more}})


def _more(
    session: Session, block: Measured, ir: str, limits: Limits | str, *, all_integer: bool = False
) -> dict[str, Figure]:
    latency = block.cost.get("latency_p50")
    if latency is None or latency.value is None:
        return {}
    described = session.executor.outcomes.get(f"describe:{ir}")
    value = described.value if described is not None and described.status == "ok" else None
    return against_limits(block.cost, value, limits, all_integer=all_integer)
