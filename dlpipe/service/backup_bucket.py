"""What lies in a bucket alone: a backup fetches it beside the files that are here, and whoever restores one sends it to
his own bucket, so that every machine finds it there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select

from dlpipe.pipeline.store import Lost
from dlpipe.service import child
from dlpipe.service.database import Database
from dlpipe.service.gc import digests
from dlpipe.service.places import Places
from dlpipe.service.queue import FINAL
from dlpipe.service.shared import Shared
from dlpipe.service.tables import Job
from dlpipe.service.uploads import Uploads

_JOBS = select(Job.team_id, Job.name, Job.attempt, Job.result).where(Job.state.in_(FINAL)).order_by(Job.id)
_BLOCK = 1 << 20


def bring(database: Database, places: Places) -> None:
    """Uploads that jobs name; results and last logs of jobs that have ended. What is not there any more is left out.
    Raises StoreUnreachable."""
    if places.bucket is None:
        return
    needed: dict[tuple[int, str], None] = {}
    with database.read() as session:
        jobs = session.execute(_JOBS).all()
        for team, asked in session.execute(select(Job.team_id, Job.asked).execution_options(yield_per=20)):
            needed.update(dict.fromkeys((team, digest) for digest in digests(asked)))
    for team, digest in needed:
        with suppress(Lost):
            Uploads(places.uploads(team), shared=places.shared(team)).bring(digest)
    for team, name, attempt, result in jobs:
        shared = places.shared(team)
        assert shared is not None
        if result is not None and not (out := places.attempt(name, result) / child.OUT).is_dir():
            with suppress(Lost):
                shared.fetch_output(name, result, out, places.cache(team))
        if attempt and not (log := places.attempt(name, attempt) / child.LOG).exists():
            _bring_log(shared, name, attempt, log)


def send(connection: Connection, places: Places, folder: Path) -> None:
    """What a backup held: files below `folder`, of the jobs that the database has. Raises StoreUnreachable."""
    if places.bucket is None:
        return
    for path in sorted((folder / "uploads").rglob("*")):
        if path.is_file() and (shared := places.shared(int(path.relative_to(folder).parts[1]))) is not None:
            shared.send_upload(path.name, path)
    for team, name, attempt, result in connection.execute(_JOBS):
        shared = places.shared(team)
        assert shared is not None
        kept = folder / "jobs" / name
        if result is not None and (out := kept / str(result) / child.OUT).is_dir():
            shared.send_output(name, result, out, places.cache(team))
        if (log := kept / str(attempt) / child.LOG).is_file():
            shared.send_log(name, attempt, log)


def _bring_log(shared: Shared, job: str, attempt: int, log: Path) -> None:
    text = b""
    while part := shared.read_log(job, attempt, len(text), _BLOCK):
        text += part
    if text:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(text)
