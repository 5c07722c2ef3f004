"""What a team may have on the service, and what it has.

What it has is read from the disk, at most every half minute, and less often where reading takes long; what comes and
goes meanwhile is added and taken off. A job that runs is not ended for what it writes: its team may be past its limit
afterwards, and then nothing new is taken until something is removed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from dlpipe.service.database import Database
from dlpipe.service.places import Places
from dlpipe.service.tables import Job, Team

MAX_WAITING = 10_000  # jobs
MAX_TIME_LIMIT = 24 * 3600.0  # seconds
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
    """Bytes. A file of several names counts once."""

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


class Usage:
    """Of all teams, in this process."""

    def __init__(self, places: Places, database: Database) -> None:
        self._places = places
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[int, _Read] = {}

    def of(self, team: int) -> Used:
        with self._lock:  # two that ask at once read once
            known = self._known.get(team)
            if known is None or time.monotonic() > known.until:
                started = time.monotonic()
                used = self._read(team)
                ended = time.monotonic()
                known = _Read(used, ended + max(_FRESH_SECONDS, _LONGER * (ended - started)))
                self._known[team] = known
            return known.used

    def uploaded(self, team: int, size: int) -> None:
        """size: bytes, below 0 for what was removed."""
        with self._lock:
            if known := self._known.get(team):
                used = replace(known.used, uploads=max(0, known.used.uploads + size))
                self._known[team] = replace(known, used=used)

    def removed_job(self, team: int) -> None:
        """How much that frees only the disk knows."""
        with self._lock:
            self._known.pop(team, None)

    def _read(self, team: int) -> Used:
        with self._database.read() as session:
            jobs = session.scalars(select(Job.name).where(Job.team_id == team)).all()
        seen: set[tuple[int, int]] = set()  # uploads are hard links in the jobs that use them
        return Used(
            uploads=_size([self._places.uploads(team)], seen),
            jobs=_size(map(self._places.job, jobs), seen),
            cache=_size([self._places.cache(team)], seen),
        )


def _size(folders: Iterable[Path], seen: set[tuple[int, int]]) -> int:
    """Bytes of the files below, but for those that were seen. What goes away meanwhile does not count."""
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
                            total += found.st_size
        except OSError:
            continue
    return total
