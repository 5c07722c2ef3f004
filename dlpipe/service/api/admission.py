"""Whether there is room for what a team asks for. What is refused says what makes room. All raise Problem."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dlpipe.frontends.registry import frontends
from dlpipe.frontends.sniff.found import Found
from dlpipe.frontends.sniff.heads import HEAD, told_by_head
from dlpipe.report.words import several
from dlpipe.service.accounts import Caller
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import State
from dlpipe.service.asked import Asked
from dlpipe.service.farm import boards as farm
from dlpipe.service.quotas import Limits, Promise
from dlpipe.service.tables import Job, Team

_HINT = (
    "remove jobs that have ended (DELETE /api/v1/jobs/ID) or uploads that no job needs (DELETE /api/v1/uploads/SHA256)"
)
_CODE = "python/source"  # told for what it is, and read only with --factory, which no job has


def promise(service: State, team: int, kind: Literal["uploads", "jobs"], size: int) -> Promise:
    """Room for so many bytes more, until `Usage.kept`. Reads the disk now and then, so not within a transaction."""
    with service.database.read() as session:
        limit = Limits.of(session.get_one(Team, team)).bytes
    given = service.usage.promise(team, kind, size, limit)
    if isinstance(given, Promise):
        return given
    detail = f"this team has {given.total} bytes of at most {limit} here" + (f", and asks for {size}" if size else "")
    kinds = {"uploads": given.uploads, "jobs": given.jobs, "cache": given.cache}
    raise Problem(413, detail, hint=_HINT, used=kinds, limit=limit)


def check_room(service: State, team: int) -> None:
    """That the team is not past its limit. Reads the disk now and then."""
    service.usage.kept(promise(service, team, "jobs", 0), 0)


def check_limits(session: Session, caller: Caller, asked: Asked, limits: Limits) -> None:
    """Within the transaction that queues the job, while the team is held: nobody squeezes in."""
    if "time_limit" in asked.model_fields_set and asked.time_limit > limits.time_limit:
        raise Problem(422, f"time_limit: this team's jobs may take {limits.time_limit:g} s")
    if asked.memory_limit is not None and limits.memory is not None and asked.memory_limit > limits.memory:
        raise Problem(422, f"memory_limit: this team's jobs may use {limits.memory} bytes")
    check_waiting(session, caller, limits)


def check_waiting(session: Session, caller: Caller, limits: Limits) -> None:
    """Within the transaction that queues a job, while the team is held."""
    waiting = select(func.count()).where(Job.team_id == caller.team, Job.state == "queued")
    if (found := session.scalars(waiting).one()) >= limits.waiting:
        hint = "cancel some (POST /api/v1/jobs/ID/cancel), or wait until they have run"
        raise Problem(
            429, f"{several(found, 'job')} of this team waiting already", headers={"Retry-After": "60"}, hint=hint
        )


def check_board(session: Session, team: int, asked: Asked) -> None:
    """A name that no board which works for the team has is a mistake; one that is silent may come back."""
    if asked.board in (None, farm.ANY):
        return
    names = [each.name for each in farm.visible(session, team)]
    if asked.board not in names:
        hint = f"there are: {', '.join(names[:20])}" if names else "none works for it: dlpipe agent connects one"
        raise Problem(422, f"this team has not a board called {asked.board}", hint=hint)


def check_head(service: State, team: int, asked: Asked) -> None:
    """A model of one file whose first bytes tell that it is something else, such as a web page: what is often sent by
    mistake is not queued. Nothing is parsed; what else it may be, the jail finds out."""
    model = asked.model
    if model is None or len(model.files) > 1 or asked.framework is not None:
        return
    ((name, digest),) = model.files.items()
    path = service.uploads(team).path(digest)
    try:
        with path.open("rb") as file:
            found = told_by_head(path, file.read(HEAD))
    except FileNotFoundError:  # not sent yet, or in the bucket alone
        return
    if found is not None and not _may_be_taken(found, name):
        raise Problem(422, f"{name!r} is no model: {found.title}", hint="is the download or copy complete?")


def _may_be_taken(found: Found, name: str) -> bool:
    """By a frontend. Those of other packages may know more of what is unknown, but only in the jail."""
    known = frontends().values()
    if found.form == "unknown":
        return any(each.sniff_call(name) is not None for each in known)
    return found.form != _CODE and any(found.form in each.formats for each in known)


def check_uploads(service: State, team: int, asked: Asked) -> None:
    digests = {digest for files in asked.uploads().values() for digest in files.files.values()}
    if missing := service.uploads(team).missing(digests):
        raise Problem(422, f"{several(len(missing), 'file')} not uploaded yet", missing=missing[:1000])
