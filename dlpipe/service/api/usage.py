"""What the team has here, and may have."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select

from dlpipe.service.api.access import Reader
from dlpipe.service.api.state import Service
from dlpipe.service.quotas import Limits
from dlpipe.service.tables import Job, Team

router = APIRouter(tags=["administration"])


class UsageView(BaseModel):
    """Bytes and seconds; None: no limit. `cache`: what finished stages left, which later jobs need not compute."""

    uploads: int
    jobs: int
    cache: int
    max_bytes: int | None
    waiting: int
    max_waiting: int
    max_time_limit: float
    max_memory: int | None


@router.get("/usage")
def usage(caller: Reader, service: Service) -> UsageView:
    """Read from the disk within the last half minute, or longer ago where there is much."""
    used = service.usage.of(caller.team)
    with service.database.read() as session:
        limits = Limits.of(session.get_one(Team, caller.team))
        waits = select(func.count()).where(Job.team_id == caller.team, Job.state == "queued")
        waiting = session.scalars(waits).one()
    return UsageView(
        uploads=used.uploads,
        jobs=used.jobs,
        cache=used.cache,
        max_bytes=limits.bytes,
        waiting=waiting,
        max_waiting=limits.waiting,
        max_time_limit=limits.time_limit,
        max_memory=limits.memory,
    )
