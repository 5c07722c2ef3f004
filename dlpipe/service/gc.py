"""What nobody needs any more goes: jobs that ended long ago, attempts that another followed, uploads of no job, stages
that no run used.

Nothing goes that a job needs: while there is a job, its uploads stay, so that it can be tried again. An upload is as
old as the last look at it, so one that a client has just asked for is there when its job comes.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from dlpipe.errors import StoreUnreachable
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.store.gc import Limits
from dlpipe.pipeline.store.remote import gc as remote
from dlpipe.service import audit, removing
from dlpipe.service.audit import SERVICE, Actor
from dlpipe.service.database import Database
from dlpipe.service.places import Places
from dlpipe.service.queue import FINAL
from dlpipe.service.shared import Shared
from dlpipe.service.tables import Job, Team
from dlpipe.service.uploads import UploadRefused, Uploads

DAY = 86400.0
EVERY_SECONDS = 3600.0
BUCKET_EVERY_SECONDS = DAY  # it is listed in full, and asked for each record
_COLLECTED = "collected"  # its age says when gc last went through a bucket
_CRASHED_SECONDS = 3600.0  # a folder without a job is what a crash left, or a job that is just being removed
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Collected:
    """`attempts`: job/number. `uploads`: team/digest. `bytes`: of these, and of the stages that went; a dry run does
    not know those. `bucket`: what went of the stages in there."""

    jobs: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    bytes: int = 0
    bucket: remote.Collected | None = None


def collect(
    database: Database,
    places: Places,
    keep_days: float,
    *,
    actor: Actor = SERVICE,
    dry_run: bool = False,
    rest_seconds: float = 0.0,
    over: Callable[[], bool] = lambda: False,
) -> Collected:
    """keep_days: what ended, or was last used, longer ago goes. actor: for the audit log. dry_run: only say what
    would. rest_seconds: a bucket that somebody went through within that time is left alone. over: whether to stop
    going through it. Raises StoreUnreachable, StoppedError."""
    found = Collected()
    with database.read() as session:
        before = database.now(session) - keep_days * DAY
        teams = session.scalars(select(Team.id).order_by(Team.id)).all()
    _old_jobs(database, places, before, found, actor, dry_run)
    _folders(database, places, found, dry_run)
    for team in teams:
        _uploads(database, places, team, before, found, actor, dry_run)
        store = places.root / "caches" / str(team) / "store"
        if not dry_run and store.is_dir():
            found.bytes += Store(store).gc(max_age=keep_days * DAY)
    for team in teams:
        shared = places.shared(team)
        last = shared.store.modified(_COLLECTED) if shared is not None else None
        if shared is None or (last is not None and time.time() - last < rest_seconds):
            continue
        _uploads_away(database, places, team, min(before, time.time() - DAY), found, actor, dry_run)
        _stages_away(shared, keep_days, found, dry_run, over)
        if not dry_run:
            shared.store.write(_COLLECTED, b"")
    went = found.bucket is not None and found.bucket != remote.Collected()
    if not dry_run and (went or found.bytes or found.jobs or found.attempts or found.uploads):
        counts: dict[str, Any] = {name: len(getattr(found, name)) for name in ("jobs", "attempts", "uploads")}
        counts |= {"bytes": found.bytes, "keep_days": keep_days}
        if found.bucket is not None:
            counts["bucket"] = asdict(found.bucket)
        with database.write() as session:
            audit.record(session, database.now(session), actor, "service.gc", **counts)
    return found


def trim_audit(database: Database, keep_days: float, *, actor: Actor, dry_run: bool = False) -> int:
    """Rows of the audit log that are older go, and one says so. Returns how many, or would."""
    with database.write() as session:
        now = database.now(session)
        before = now - keep_days * DAY
        return audit.count(session, before) if dry_run else audit.trim(session, now, actor, before)


def _old_jobs(database: Database, places: Places, before: float, found: Collected, actor: Actor, dry_run: bool) -> None:
    with database.read() as session:
        old = select(Job.team_id, Job.name).where(Job.state.in_(FINAL), Job.finished < before).order_by(Job.id)
        rows = session.execute(old).all()
    for team, name in rows:
        size = _size(places.job(name))
        if not dry_run:
            try:
                removing.remove_job(database, places, team, name, actor)
            except (removing.NotThere, removing.StillNeeded):  # removed or tried again meanwhile
                continue
        found.jobs.append(name)
        found.bytes += size


def _folders(database: Database, places: Places, found: Collected, dry_run: bool) -> None:
    """Attempts that neither are a job's last nor hold its result; folders of no job."""
    with database.read() as session:
        rows = session.execute(select(Job.name, Job.attempt, Job.result)).all()
    known = {name: {str(attempt), str(result)} for name, attempt, result in rows}
    for folder in _folders_in(places.root / "jobs"):
        if folder.name not in known:
            doomed = [folder] if time.time() - folder.stat().st_mtime > _CRASHED_SECONDS else []
        else:  # a job's number of attempts only grows: what was overtaken stays so
            last = max(int(each) for each in known[folder.name] if each != "None")
            others = [each for each in _folders_in(folder) if each.name not in known[folder.name]]
            doomed = [each for each in others if each.name.isdecimal() and int(each.name) < last]
        for each in doomed:
            if folder.name in known or folder.name not in found.jobs:
                found.attempts.append(each.relative_to(places.root / "jobs").as_posix())
                found.bytes += _size(each)
            if not dry_run:
                shutil.rmtree(each, ignore_errors=True)


def _uploads(
    database: Database, places: Places, team: int, before: float, found: Collected, actor: Actor, dry_run: bool
) -> None:
    uploads = Uploads(places.uploads(team), shared=places.shared(team))
    old = [each for folder in _folders_in(places.uploads(team)) for each in folder.iterdir() if _used(each) < before]
    if not old:
        return
    needed = _needed(database, team)
    for path in old:
        digest = path.name.removesuffix(".part")
        if digest in needed:
            continue
        size = path.stat().st_size
        if not dry_run:
            if _used(path) >= before:  # somebody has just asked for it
                continue
            try:
                removing.remove_upload(database, uploads, team, digest, actor)
            except (removing.NotThere, removing.StillNeeded, UploadRefused):
                continue
        found.uploads.append(f"{team}/{path.name}")
        found.bytes += size


def _uploads_away(
    database: Database, places: Places, team: int, before: float, found: Collected, actor: Actor, dry_run: bool
) -> None:
    """Those that lie in the bucket, and not here."""
    shared = places.shared(team)
    assert shared is not None
    uploads = Uploads(places.uploads(team), shared=shared)
    old = {digest: size for digest, size in shared.uploads_before(before).items() if not uploads.path(digest).is_file()}
    needed = _needed(database, team) if old else set()
    for digest, size in old.items():
        if digest in needed:
            continue
        if not dry_run:
            if shared.looked_for(digest) >= before:  # somebody has just asked for it
                continue
            try:
                removing.remove_upload(database, uploads, team, digest, actor)
            except (removing.NotThere, removing.StillNeeded, UploadRefused):
                continue
        found.uploads.append(f"{team}/{digest}")
        found.bytes += size


def _needed(database: Database, team: int) -> set[str]:
    """By jobs of any state."""
    found: set[str] = set()
    with database.read() as session:
        for asked in session.scalars(select(Job.asked).where(Job.team_id == team).execution_options(yield_per=20)):
            found.update(digests(asked))
    return found


def _stages_away(shared: Shared, keep_days: float, found: Collected, dry_run: bool, over: Callable[[], bool]) -> None:
    """What stages made stays while it is used, and while a job is there whose output it is part of."""
    limits = Limits(None, keep_days * DAY, remote.GRACE_SECONDS)
    went = remote.collect(shared.store, limits, time.time(), roots=shared.outputs, dry_run=dry_run, over=over)
    found.bucket = went if found.bucket is None else found.bucket + went


def digests(asked: Any) -> Iterator[str]:
    """Every file of every field that names files (`asked.Files`)."""
    for value in asked.values():
        if isinstance(value, dict) and isinstance(value.get("files"), dict):
            yield from value["files"].values()


def _folders_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def _used(path: Path) -> float:
    """Seconds since 1970."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _size(folder: Path) -> int:
    """Bytes that go with it: a file that has other names stays."""
    found = (each.lstat() for each in folder.rglob("*") if not each.is_dir())
    return sum(each.st_size for each in found if each.st_nlink == 1)


class Regularly:
    """`collect`, now and every hour, in a thread of the server's."""

    def __init__(self, database: Database, places: Places, keep_days: float | None) -> None:
        self._over = threading.Event()
        self._given = database, places, keep_days
        self._thread = threading.Thread(target=self._run, name="gc")

    def __enter__(self) -> None:
        if self._given[2] is not None:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        database, places, keep_days = self._given
        assert keep_days is not None
        while True:
            try:
                found = collect(database, places, keep_days, rest_seconds=BUCKET_EVERY_SECONDS, over=self._over.is_set)
                counts = f"{len(found.jobs)} jobs, {len(found.attempts)} attempts, {len(found.uploads)} uploads"
                _log.info("gc: %s, %d bytes", counts, found.bytes)
            except remote.StoppedError:
                return
            except (OSError, OperationalError, StoreUnreachable) as error:
                _log.warning("gc did not come to its end: %s", error)
            if self._over.wait(EVERY_SECONDS):
                return
