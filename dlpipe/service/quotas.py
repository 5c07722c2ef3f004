"""What a team may have on the service, and what it has.

What it has is read from the disk and the database, at most every half minute, and less often where reading takes long;
what comes and goes meanwhile is added and taken off, and what has been promised room counts as if it were there. A job
that runs is not ended for what it writes: its team may be past its limit afterwards, and then nothing new is taken
until something is removed.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sqlalchemy import String, cast, func, select

from dlpipe.service.database import Database
from dlpipe.service.places import Places
from dlpipe.service.tables import Job, JobEvent, Team

MAX_WAITING = 10_000  # jobs
MAX_TIME_LIMIT = 24 * 3600.0  # seconds
BLOCK = 4096  # bytes: what the smallest file takes of a disk
_FRESH_SECONDS = 30.0
_LONGER = 20.0  # times as long as reading took


@dataclass(frozen=True, slots=True)
class Limits:
    """bytes, memory: None for no limit. time_limit: seconds of one attempt."""

    bytes: int | None
    waiting: int
    time_limit: float
    memory: int | None

    @staticmethod
    def of(team: Team) -> Limits:
        return Limits(
            team.max_bytes,
            MAX_WAITING if team.max_waiting is None else team.max_waiting,
            MAX_TIME_LIMIT if team.max_time_limit is None else team.max_time_limit,
            team.max_memory,
        )


@dataclass(frozen=True, slots=True)
class Used:
    """Bytes, of files as `room` has it; one of several names counts once. `jobs` are their files, what they ask for,
    and their events."""

    uploads: int
    jobs: int
    cache: int

    @property
    def total(self) -> int:
        return self.uploads + self.jobs + self.cache


@dataclass(frozen=True, slots=True)
class _Read:
    used: Used
    until: float  # as of time.monotonic


@dataclass(frozen=True, slots=True)
class Promise:
    """Room for `size` bytes of a kind. `until` tells by which reading it was given."""

    team: int
    kind: Literal["uploads", "jobs"]
    size: int
    until: float | None


class Usage:
    """Of all teams, here. Safe for several threads. `of` and `promise` read the disk, the rest never waits."""

    def __init__(self, places: Places, database: Database) -> None:
        self._places = places
        self._database = database
        self._lock = threading.Lock()
        self._reading = defaultdict[int, threading.Lock](threading.Lock)  # a team does not wait for another's folders
        self._known: dict[int, _Read] = {}
        self._promised = Counter[int]()  # bytes, by team

    def of(self, team: int) -> Used:
        """Without what is promised."""
        with self._lock:
            reading = self._reading[team]
        with reading:  # two that ask at once read once
            with self._lock:
                known = self._known.get(team)
            if known is None or time.monotonic() > known.until:
                started = time.monotonic()
                used = self._read(team)
                ended = time.monotonic()
                known = _Read(used, ended + max(_FRESH_SECONDS, _LONGER * (ended - started)))
                with self._lock:
                    self._known[team] = known
            return known.used

    def promise(self, team: int, kind: Literal["uploads", "jobs"], size: int, limit: int | None) -> Promise | Used:
        """Room for so much more, until `kept`; or else what takes it, others' promises among it."""
        while True:
            if limit is not None:
                self.of(team)
            with self._lock:
                known = self._known.get(team)
                if known is None and limit is not None:  # forgotten between the two
                    continue
                if known is not None and limit is not None:
                    used = replace(known.used, uploads=known.used.uploads + self._promised[team])
                    if used.total + size > limit:
                        return used
                self._promised[team] += size
                return Promise(team, kind, size, known.until if known is not None else None)

    def kept(self, promise: Promise, size: int) -> None:
        """What came of it: so many bytes are there now that were not before."""
        with self._lock:
            self._promised[promise.team] -= promise.size
            if (known := self._known.get(promise.team)) is not None and known.until != promise.until:
                del self._known[promise.team]  # read while it came: with a part of it, nobody knows how much
        self.changed(promise.team, promise.kind, size)

    def changed(self, team: int, kind: Literal["uploads", "jobs"], size: int) -> None:
        """size: bytes, below 0 for what was removed."""
        with self._lock:
            if known := self._known.get(team):
                used = replace(known.used, **{kind: max(0, getattr(known.used, kind) + size)})
                self._known[team] = replace(known, used=used)

    def forget(self, team: int) -> None:
        """How much was freed only the disk knows."""
        with self._lock:
            self._known.pop(team, None)

    def _read(self, team: int) -> Used:
        asked, said = func.length(cast(Job.asked, String)), func.length(cast(JobEvent.data, String))
        with self._database.read() as session:
            jobs = session.scalars(select(Job.name).where(Job.team_id == team)).all()
            rows = session.scalars(select(func.sum(asked)).where(Job.team_id == team)).one() or 0
            events = select(func.sum(said)).join(Job, Job.id == JobEvent.job_id).where(Job.team_id == team)
            rows += session.scalars(events).one() or 0
        seen: set[tuple[int, int]] = set()  # uploads are hard links in the jobs that use them
        return Used(
            uploads=_size([self._places.uploads(team)], seen),
            jobs=rows + _size(map(self._places.job, jobs), seen),
            cache=_size([self._places.cache(team)], seen),
        )


def room(size: int) -> int:
    """What a file of so many bytes takes of a disk. Counted as they are, a million of one byte would be next to
    nothing."""
    return max(1, -(-size // BLOCK)) * BLOCK


def _size(folders: Iterable[Path], seen: set[tuple[int, int]]) -> int:
    """Room of the files below, but for those that were seen. What goes away meanwhile does not count."""
    total, waiting = 0, list(map(str, folders))
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        if (found.st_dev, found.st_ino) not in seen:
                            seen.add((found.st_dev, found.st_ino))
                            total += room(found.st_size)
        except OSError:
            continue
    return total
