"""The answers' shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from dlpipe.report.schema import Gate
from dlpipe.service.asked import Asked
from dlpipe.service.progress import StageState
from dlpipe.service.tables import Job


class JobView(BaseModel):
    """Times are UTC. `exit_code` as of `dlpipe convert`, once the job has ended. `has_result`: there is an output
    folder, which a job that broke a gate has too."""

    id: str
    state: str
    title: str
    label: str
    targets: list[str]
    backends: list[str]
    priority: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    attempt: int
    exit_code: int | None
    error: dict[str, Any] | None
    has_result: bool
    cancel_requested: bool


class JobPage(BaseModel):
    """`next`: hand it in as `after` for what follows; None at the end."""

    jobs: list[JobView]
    next: int | None


class StageView(BaseModel):
    """As `progress.StageProgress`."""

    stage: str
    kind: str
    state: StageState
    after: tuple[str, ...]
    seconds: float | None
    message: str | None
    fraction: float | None


class Comparison(BaseModel):
    """Of the artefacts that `job` chose, with what `other` made of them."""

    job: str
    other: str
    differences: list[Gate]


def job_view(job: Job) -> JobView:
    """Within the transaction that read it."""
    return JobView(
        **(job.shown or Asked.of_row(job.asked).shown()),
        id=job.name,
        state=job.state,
        priority=job.priority,
        created=utc(job.created),
        started=utc(job.started) if job.started is not None else None,
        finished=utc(job.finished) if job.finished is not None else None,
        attempt=job.attempt,
        exit_code=job.exit_code,
        error=job.error,
        has_result=job.result is not None,
        cancel_requested=job.cancel_requested,
    )


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
