"""What a job's events add up to: its stages, each with its state, and the DAG that they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from dlpipe.service.tables import Job, JobEvent

StageState = Literal["waiting", "running", "ok", "cached", "failed", "skipped", "stopped"]
_KINDS = ("StageQueued", "StageStarted", "StageProgress", "StageFinished")


@dataclass(slots=True)
class StageProgress:
    """`stopped`: it ran when the job was ended. `seconds`: that it took. `message`, `fraction` (0 to 1): how far it is,
    where it says so. `after`: the stages whose results it needs."""

    stage: str
    kind: str
    state: StageState
    after: tuple[str, ...] = ()
    seconds: float | None = None
    message: str | None = None
    fraction: float | None = None


def stages(session: Session, job: Job) -> list[StageProgress]:
    """Of the job's last attempt, in the order in which they were planned."""
    wanted = select(JobEvent).where(
        JobEvent.job_id == job.id, JobEvent.attempt == job.attempt, JobEvent.kind.in_(_KINDS)
    )
    return fold(session.scalars(wanted.order_by(JobEvent.id)).all(), running=job.state == "running")


def fold(events: Iterable[JobEvent], *, running: bool) -> list[StageProgress]:
    """running: whether the attempt goes on; else what had begun is stopped, and what waits will not be."""
    found: dict[str, StageProgress] = {}
    for event in events:
        data = event.data
        each = found.setdefault(data["stage"], StageProgress(data["stage"], data.get("kind", ""), "waiting"))
        match event.kind:
            case "StageQueued":
                each.kind, each.state, each.after = data["kind"], "waiting", tuple(data["after"])
            case "StageStarted":
                each.kind, each.state = data["kind"], "running"
            case "StageProgress":
                each.message, each.fraction = data["message"], data["fraction"]
            case "StageFinished":
                status: StageState = "cached" if data["status"] == "ok" and data["cache"] == "hit" else data["status"]
                each.kind, each.state, each.seconds = data["kind"], status, data["seconds"]
                each.message = each.fraction = None
    if not running:
        for each in found.values():
            if each.state == "running":
                each.state = "stopped"
    return [each for each in found.values() if running or each.state != "waiting"]
