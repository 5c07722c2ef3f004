"""A new job, as the queue takes it."""

from __future__ import annotations

import secrets

from sqlalchemy.orm import Session

from dlpipe.service.accounts import Caller
from dlpipe.service.asked import Asked
from dlpipe.service.database import Database
from dlpipe.service.quotas import Limits
from dlpipe.service.tables import Job, JobEvent, Team
from dlpipe.service.tracing import spans


def new_job(
    database: Database, session: Session, caller: Caller, asked: Asked, key: str | None, limits: Limits | None = None
) -> Job:
    """It waits from the end of the transaction on. Where `asked` names no limits, it gets what `limits` allow."""
    limits = limits or Limits.of(session.get_one(Team, caller.team))
    named = "time_limit" in asked.model_fields_set
    now = database.now(session)
    job = Job(
        name=f"job-{secrets.token_hex(8)}",
        team_id=caller.team,
        token_id=caller.token,
        asked=asked.model_dump(mode="json"),
        shown=asked.shown(),
        words=asked.words(),
        idempotency_key=key,
        trace=spans.traceparent(),
        priority=asked.priority,
        time_limit=asked.time_limit if named else min(asked.time_limit, limits.time_limit),
        memory_limit=asked.memory_limit if asked.memory_limit is not None else limits.memory,
        created=now,
        state="queued",
        not_before=0.0,
        attempt=0,
        faults=0,
        cancel_requested=False,
    )
    session.add(job)
    session.flush()
    session.add(JobEvent(job_id=job.id, attempt=0, time=now, kind="JobState", data={"state": "queued"}))
    return job
