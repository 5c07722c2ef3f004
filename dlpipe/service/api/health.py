"""For the machinery around the service."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import func, select

from dlpipe.service.api import metrics as prometheus
from dlpipe.service.api.access import Administrator
from dlpipe.service.api.catalogue import ALIVE_SECONDS
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service
from dlpipe.service.queue import FINAL
from dlpipe.service.tables import Job, WorkerRow

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(service: Service) -> dict[str, str]:
    """The database answers too."""
    if not service.database.answers():
        raise Problem(503, "the database does not answer")
    return {"status": "ready"}


@router.get("/metrics", response_class=Response)
def metrics(caller: Administrator, service: Service) -> Response:
    """For Prometheus, which is given an administrator's token."""
    del caller
    with service.database.read() as session:
        now = service.database.now(session)
        found = {row[0]: row[1] for row in session.execute(select(Job.state, func.count()).group_by(Job.state))}
        alive = session.scalars(select(func.count()).where(WorkerRow.seen > now - ALIVE_SECONDS)).one()
    jobs: dict[str, int] = {state: found.get(state, 0) for state in ("queued", "running", *FINAL)}
    return Response(service.metrics.text(jobs, alive), media_type=prometheus.MEDIA_TYPE)
