"""Jobs: submit, list, look at, cancel, retry. A job of another team's answers as one that does not exist."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from dlpipe.service.accounts import Caller
from dlpipe.service.api import admission
from dlpipe.service.api.access import Reader, Submitter
from dlpipe.service.api.forms import JOB_ID
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service, State
from dlpipe.service.api.views import JobPage, JobView, StageView, job_view
from dlpipe.service.asked import WITHOUT_NUL, Asked
from dlpipe.service.audit import Actor
from dlpipe.service.jobs import new_job
from dlpipe.service.progress import stages
from dlpipe.service.queue import FINAL
from dlpipe.service.queue import State as JobState
from dlpipe.service.quotas import Limits
from dlpipe.service.removing import NotThere, StillNeeded, hold, remove_job
from dlpipe.service.tables import Job, JobEvent

router = APIRouter(prefix="/jobs", tags=["jobs"])
JobId = Annotated[str, Path(pattern=JOB_ID)]
_WORDS = "in model, label, targets, backends"


@router.post("", status_code=201)
def submit(
    asked: Asked,
    caller: Submitter,
    service: Service,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=128, min_length=1)] = None,
) -> JobView:
    """Ask for a conversion. With an `Idempotency-Key` that was used before for the same, the job that there is comes
    back, with 200 instead of 201; for something else, it is refused with 409."""
    asked.request()  # unknown targets and the like end here
    if (known := _by_key(service, caller, idempotency_key)) is None:
        try:
            view = _queued(service, caller, asked, idempotency_key)
        except IntegrityError:  # another request with this key was faster
            if (known := _by_key(service, caller, idempotency_key)) is None:
                raise
        else:
            return view
    if not asked.is_that_of(known.asked):
        raise Problem(409, "this Idempotency-Key was used for something else")
    response.status_code = 200
    return job_view(known)


def _queued(service: State, caller: Caller, asked: Asked, key: str | None) -> JobView:
    """Raises Problem, IntegrityError where there is a job of this key."""
    size, came = len(asked.model_dump_json()), 0
    admission.check_head(service, caller.team, asked)
    promise = admission.promise(service, caller.team, "jobs", size)
    try:
        if service.places.bucket is not None:  # takes questions to the bucket: not while the team is held
            admission.check_uploads(service, caller.team, asked)
        with service.database.write() as session:
            limits = Limits.of(hold(session, caller.team))
            admission.check_limits(session, caller, asked, limits)
            admission.check_board(session, caller.team, asked)
            if service.places.bucket is None:
                admission.check_uploads(service, caller.team, asked)
            job = new_job(service.database, session, caller, asked, key, limits)
            service.audit(session, caller, "job.submit", job.name, **asked.shown())
            view = job_view(job)
        came = size
        return view
    finally:
        service.usage.kept(promise, came)


@router.get("")
def jobs(
    caller: Reader,
    service: Service,
    state: JobState | None = None,
    q: Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL, description=_WORDS)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[int | None, Query(ge=0, le=1 << 31)] = None,
) -> JobPage:
    """The team's jobs, the newest first."""
    wanted = select(Job).where(Job.team_id == caller.team).order_by(Job.id.desc()).limit(limit + 1)
    if state is not None:
        wanted = wanted.where(Job.state == state)
    if q:
        wanted = wanted.where(func.lower(Job.words).contains(q.lower(), autoescape=True))
    if after is not None:
        wanted = wanted.where(Job.id < after)
    with service.database.read() as session:
        found = session.scalars(wanted).all()
        page = found[:limit]
        return JobPage(jobs=[job_view(each) for each in page], next=page[-1].id if len(found) > limit else None)


@router.get("/{id}")
def job(id: JobId, caller: Reader, service: Service) -> JobView:
    with service.database.read() as session:
        return job_view(find(session, caller, id))


@router.get("/{id}/stages")
def job_stages(id: JobId, caller: Reader, service: Service) -> list[StageView]:
    """How far its last attempt is."""
    with service.database.read() as session:
        return [StageView(**asdict(each)) for each in stages(session, find(session, caller, id))]


@router.post("/{id}/cancel", status_code=202)
def cancel(id: JobId, caller: Submitter, service: Service) -> JobView:
    """A job that waits is cancelled at once; one that runs, as soon as its processes are gone. One that has ended stays
    as it is."""
    with service.database.write() as session:
        found = find(session, caller, id, change=True)
        service.queue.cancel(session, found)
        service.audit(session, caller, "job.cancel", found.name, state=found.state)
        return job_view(found)


@router.post("/{id}/retry", status_code=202)
def retry(id: JobId, caller: Submitter, service: Service) -> JobView:
    """A job that failed or was cancelled waits again. What its attempts had finished is not computed again."""
    admission.check_room(service, caller.team)
    with service.database.write() as session:
        limits = Limits.of(hold(session, caller.team))
        found = find(session, caller, id, change=True)
        if found.state not in FINAL or found.state == "succeeded":
            raise Problem(409, f"the job is {found.state}: only one that failed or was cancelled is tried again")
        admission.check_waiting(session, caller, limits)
        admission.check_uploads(service, caller.team, Asked.of_row(found.asked))
        service.queue.retry(session, found)
        service.audit(session, caller, "job.retry", found.name)
        return job_view(found)


@router.delete("/{id}", status_code=204)
def remove(id: JobId, caller: Submitter, service: Service) -> None:
    """A job that has ended, with its log and its artefacts."""
    try:
        remove_job(service.database, service.places, caller.team, id, Actor.of(caller))
    except NotThere:
        raise Problem(404, "there is no such job") from None
    except StillNeeded as error:
        raise Problem(409, str(error)) from None
    service.usage.forget(caller.team)


def last_event(name: str, caller: Caller, service: State) -> int:
    """Its number, 0 where there is none: what happens from now on comes behind it. Raises Problem."""
    with service.database.read() as session:
        job = find(session, caller, name)
        return session.scalars(select(func.max(JobEvent.id)).where(JobEvent.job_id == job.id)).one() or 0


def find(session: Session, caller: Caller, name: str, *, change: bool = False) -> Job:
    """Raises Problem. `change`: nobody else changes it until the transaction ends."""
    wanted = select(Job).where(Job.name == name, Job.team_id == caller.team)
    found = session.scalars(wanted.with_for_update() if change else wanted).first()
    if found is None:
        raise Problem(404, "there is no such job")
    return found


def find_now(service: State, caller: Caller, name: str) -> Job:
    """In a transaction of its own. Raises Problem."""
    with service.database.read() as session:
        return find(session, caller, name)


def _by_key(service: State, caller: Caller, key: str | None) -> Job | None:
    """With what it asks for."""
    if key is None:
        return None
    wanted = select(Job).where(Job.team_id == caller.team, Job.idempotency_key == key).options(undefer(Job.asked))
    with service.database.read() as session:
        return session.scalars(wanted).first()
