"""Figures for Prometheus, in its text format. Names of teams are among them, none of a job or a model."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dlpipe.service.database import Database
from dlpipe.service.queue import FINAL
from dlpipe.service.tables import Job, Team, WorkerRow

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds, of a request
JOB_BOUNDS = (1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 3 * 3600.0)  # seconds, of a job
MEDIA_TYPE = "text/plain; version=0.0.4"
_WAITING = ("queued", "running")
_SETTLED_SECONDS = 2.0  # a transaction that ends a job has its time, and may be seen only a little later
Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Found:
    """What the database says now. jobs: (team, state) -> how many; `oldest` in seconds, None where nothing waits."""

    jobs: Mapping[tuple[str, str], int]
    teams: Sequence[str]
    workers: int
    leases: int
    oldest: float | None


def look(session: Session, now: float, alive_seconds: float) -> Found:
    by_state = select(Team.name, Job.state, func.count()).join(Team, Team.id == Job.team_id)
    counted = session.execute(by_state.group_by(Team.name, Job.state)).all()
    first = session.scalars(select(func.min(Job.created)).where(Job.state == "queued")).one()
    held = select(func.count()).where(Job.state == "running", Job.lease_until >= now)
    return Found(
        jobs={(team, state): count for team, state, count in counted},
        teams=session.scalars(select(Team.name).order_by(Team.name)).all(),
        workers=session.scalars(select(func.count()).where(WorkerRow.seen > now - alive_seconds)).one(),
        leases=session.scalars(held).one(),
        oldest=None if first is None else max(0.0, now - first),
    )


class Histogram:
    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self, name: str, labels: Mapping[str, str]) -> Iterable[str]:
        total = 0
        for bound, count in zip([*map("{:g}".format, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            yield _line(f"{name}_bucket", {**labels, "le": bound}, total)
        yield _line(f"{name}_sum", labels, self._sum)
        yield _line(f"{name}_count", labels, total)


class Metrics:
    """Of this process: requests by method and status, how long they took until the answer began, and how long the jobs
    took that ended, on whatever machine, since it started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._answers = Histogram(BOUNDS)
        self._jobs: dict[str, Histogram] = {state: Histogram(JOB_BOUNDS) for state in FINAL}
        self._counted_until: float | None = None

    def request(self, method: str, status: int, seconds: float) -> None:
        with self._lock:
            self._requests[method, status] += 1
            self._answers.add(seconds)

    def ended(self, database: Database) -> None:
        """Count the jobs that ended since the last call; the first one begins. Counted anew each time, they would
        become fewer when jobs are removed, which no histogram may."""
        with self._lock, database.read() as session:
            until = database.now(session) - _SETTLED_SECONDS
            if self._counted_until is not None:
                wanted = select(Job.state, Job.started, Job.finished).where(
                    Job.state.in_(FINAL), Job.finished > self._counted_until, Job.finished <= until
                )
                for state, started, finished in session.execute(wanted):
                    if started is not None and finished is not None:  # else it was cancelled before it began
                        self._jobs[state].add(max(0.0, finished - started))
            self._counted_until = max(until, self._counted_until or until)

    def text(self, found: Found, disk_free: int, disk_total: int) -> str:
        """disk_...: bytes, where the service's data lie."""
        states = (*_WAITING, *FINAL)
        total = Counter[str]()
        for (_, state), count in found.jobs.items():
            total[state] += count
        by_team = [
            ({"team": team, "state": state}, float(found.jobs.get((team, state), 0)))
            for team in found.teams
            for state in _WAITING
        ]
        oldest: list[Sample] = [] if found.oldest is None else [({}, found.oldest)]
        lines = [
            *_gauge("dlpipe_jobs", "Jobs by state.", [({"state": state}, total[state]) for state in states]),
            *_gauge("dlpipe_team_jobs", "Jobs that wait or run, by team.", by_team),
            *_gauge("dlpipe_oldest_waiting_seconds", "Since the oldest job that waits was submitted.", oldest),
            *_gauge("dlpipe_leases", "Jobs that a worker holds.", [({}, found.leases)]),
            *_gauge("dlpipe_workers", "Workers that were heard of within a minute.", [({}, found.workers)]),
            *_gauge("dlpipe_disk_free_bytes", "Where the data of this server lie.", [({}, disk_free)]),
            *_gauge("dlpipe_disk_bytes", "Where the data of this server lie.", [({}, disk_total)]),
        ]
        with self._lock:
            lines += _head("dlpipe_requests_total", "Requests answered.", "counter")
            for (method, status), count in sorted(self._requests.items()):
                lines.append(_line("dlpipe_requests_total", {"method": method, "status": str(status)}, count))
            lines += _head("dlpipe_request_seconds", "Until the answer began.", "histogram")
            lines += self._answers.samples("dlpipe_request_seconds", {})
            said = "From a job's first start to its end, of those that ended since this server started."
            lines += _head("dlpipe_job_seconds", said, "histogram")
            for state, jobs in self._jobs.items():
                lines += jobs.samples("dlpipe_job_seconds", {"state": state})
        return "\n".join(lines) + "\n"


def _gauge(name: str, said: str, samples: Iterable[Sample]) -> list[str]:
    return [*_head(name, said, "gauge"), *(_line(name, labels, value) for labels, value in samples)]


def _head(name: str, said: str, kind: str) -> list[str]:
    return [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    """Nothing needs escaping: a team's name holds letters, digits, spaces, dots and dashes (`accounts.make_team`)."""
    quoted = [f'{key}="{text}"' for key, text in labels.items()]
    return f"{name}{'{' + ','.join(quoted) + '}' if quoted else ''} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}"
