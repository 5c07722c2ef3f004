"""A job's events while they happen, as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from dlpipe.service.api.access import Reader
from dlpipe.service.api.jobs import JobId, find_now
from dlpipe.service.api.state import Service, State
from dlpipe.service.api.views import utc
from dlpipe.service.queue import FINAL
from dlpipe.service.tables import Job, JobEvent
from dlpipe.service.watching import POLL_SECONDS

router = APIRouter(prefix="/jobs/{id}", tags=["jobs"])
_SILENCE_SECONDS = 15.0  # what a proxy lets pass
_AT_ONCE = 100  # in memory, of each reader that falls behind
_AGAIN_MS = 3000  # after which a reader looks for the server that follows this one


@router.get("/events", response_class=StreamingResponse)
async def events(
    id: JobId,
    caller: Reader,
    service: Service,
    after: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=1 << 31)] = None,
) -> StreamingResponse:
    """Those so far, and those to come, until the job has ended; `Last-Event-ID` (or `after`) leaves out what was
    seen. Each is an event `message` whose data is JSON: `event`, `time`, `attempt`, and the event's fields.
    A server that is about to end says in `retry` when to ask again."""
    job = await run_sync(find_now, service, caller, id)
    stream = _stream(service, job.id, last_event_id if last_event_id is not None else after)
    return StreamingResponse(stream, media_type="text/event-stream")


async def _stream(service: State, job: int, last: int) -> AsyncIterator[str]:
    silent = 0.0
    with service.watch.follow(job):
        while True:
            if service.draining.is_set():
                yield f"retry: {_AGAIN_MS}\n\n"
                return
            found, ended = await run_sync(_after, service, job, last)
            for each in found:
                data = {"event": each.kind, "time": utc(each.time).isoformat(), "attempt": each.attempt, **each.data}
                yield f"id: {each.id}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
                last = each.id
            if ended and not found:
                return
            silent = 0.0 if found else silent
            while len(found) < _AT_ONCE and not ended and not service.draining.is_set():
                stand = await service.watch.look(job)
                if stand is not None and (stand.ended or stand.last > last):
                    break
                silent += POLL_SECONDS
                if silent >= _SILENCE_SECONDS:
                    silent = 0.0
                    yield ": still here\n\n"


def _after(service: State, job: int, last: int) -> tuple[list[JobEvent], bool]:
    """ended: or gone."""
    wanted = select(JobEvent).where(JobEvent.job_id == job, JobEvent.id > last).order_by(JobEvent.id).limit(_AT_ONCE)
    with service.database.read() as session:
        state = session.scalars(select(Job.state).where(Job.id == job)).first()
        return list(session.scalars(wanted).all()), state is None or state in FINAL
