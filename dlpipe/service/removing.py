"""What makes room: a job that has ended goes, or an uploaded file that no job needs.

First the rows, in one transaction, then the files: a crash in between leaves a folder of which nobody knows, never a
job whose files are gone.
"""

from __future__ import annotations

import shutil
from contextlib import suppress

from sqlalchemy import String, cast, delete, select
from sqlalchemy.orm import Session

from dlpipe.errors import StoreUnreachable
from dlpipe.service import audit
from dlpipe.service.audit import Actor
from dlpipe.service.database import Database
from dlpipe.service.places import Places
from dlpipe.service.queue import FINAL
from dlpipe.service.tables import Job, JobEvent, Team
from dlpipe.service.uploads import Uploads


class NotThere(Exception):
    """The team has no such job or file."""


class StillNeeded(Exception):
    """Its text says by what."""


def remove_job(database: Database, places: Places, team: int, name: str, actor: Actor) -> None:
    """Its rows, logs and artefacts; what it left in the team's stage cache stays. Raises NotThere, StillNeeded while it
    waits or runs."""
    with database.write() as session:
        wanted = select(Job).where(Job.name == name, Job.team_id == team).with_for_update()
        job = session.scalars(wanted).first()
        if job is None:
            raise NotThere(name)
        if job.state not in FINAL:
            raise StillNeeded(f"the job is {job.state}: cancel it first")
        session.execute(delete(JobEvent).where(JobEvent.job_id == job.id))
        attempts = job.attempt
        session.delete(job)
        owner = session.get_one(Team, team).name
        audit.record(
            session, database.now(session), actor, "job.remove", name, of=owner, title=(job.shown or {}).get("title")
        )
    shutil.rmtree(places.job(name), ignore_errors=True)
    if (shared := places.shared(team)) is not None:
        with suppress(StoreUnreachable):  # as a crash would leave it
            shared.remove_job(name, attempts)


def remove_upload(database: Database, uploads: Uploads, team: int, digest: str, actor: Actor) -> None:
    """What was uploaded under `digest`, if only a part. Raises NotThere, StillNeeded by a job that waits or runs,
    UploadRefused while it is sent."""
    with database.write() as session:
        owner = hold(session, team).name
        needs = select(Job.name).where(Job.team_id == team, Job.state.not_in(FINAL))
        job = session.scalars(needs.where(cast(Job.asked, String).contains(digest)).limit(1)).first()
        if job is not None:
            raise StillNeeded(f"{job} needs this file")
        if not uploads.remove(digest):
            raise NotThere(digest)
        audit.record(session, database.now(session), actor, "upload.remove", digest, of=owner)


def hold(session: Session, team: int) -> Team:
    """The team's row, which nobody else holds until the transaction ends: what a job asks for is counted and looked at
    while nothing of it can go. On SQLite, writers follow one another anyway."""
    wanted = select(Team).where(Team.id == team).with_for_update(key_share=True)
    return session.scalars(wanted).one()
