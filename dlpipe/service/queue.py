"""The durable queue: who runs which job, under a lease. docs/service.md says why it is our own.

A worker *leases* a job and *renews* the lease while it works. A lease that runs out is a worker that died: the job is
queued again, and the next worker goes on where it stood, since the pipeline's store keeps each finished stage. Every
lease has a secret of its own, and a statement that ends an attempt names it: of two workers that hold a job for
theirs, only the later one is heard, so a job has exactly one result.

Which job is next: the team with the fewest running jobs, of these the one that has waited longest since its last
lease; within a team the highest priority, then the oldest. So no team can push another back, by numbers or by
priorities.

What a power cut may take back are leases, renewals and events: the job is queued then, or its lease runs out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, ScalarSelect, delete, func, select, update
from sqlalchemy.orm import Session

from dlpipe.service.database import Database, changed_rows
from dlpipe.service.tables import Job, JobEvent, Team, WorkerRow

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("succeeded", "failed", "cancelled")

LEASE_SECONDS = 30.0
MAX_FAULTS = 3  # of the machinery, without a stage finished in between, until the job is given up
BACK_OFF_SECONDS = (5.0, 30.0)  # before the second and third attempt
FORGOTTEN_SECONDS = 24 * 3600.0  # after which a worker that died is not listed any more
LOST = {"error": "WorkerLost", "message": "every worker that took this job died while it ran", "exit_code": 4}


class LeaseLost(Exception):
    """Another worker has the job by now, or it has ended: whatever this one does is not heard any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """`asked` is what `asked.Asked` reads. `waited`, `leased`: since when it might have been taken, and when it was.
    `trace`: see `Job`."""

    job: int
    name: str
    team: int
    attempt: int
    secret: str
    time_limit: float
    memory_limit: int | None
    asked: Mapping[str, Any]
    waited: float = 0.0
    leased: float = 0.0
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended by itself. `exit_code` as of `dlpipe convert`; `written`: there is an output folder."""

    exit_code: int
    error: Mapping[str, Any] | None = None
    written: bool = False

    @property
    def state(self) -> State:
        return "succeeded" if self.exit_code == 0 else "failed"


class Queue:
    """clock: seconds since 1970, for tests; by default the database's."""

    def __init__(
        self, database: Database, *, lease_seconds: float = LEASE_SECONDS, clock: Callable[[], float] | None = None
    ) -> None:
        self._database = database
        self.lease_seconds = lease_seconds
        self._clock = clock

    def lease(self, worker: str) -> Lease | None:
        """The next job, or None where nothing waits."""
        with self._database.write(durable=False) as session:
            self._database.one_at_a_time(session)
            now = self._now(session)
            self._take_back(session, now)
            team = session.scalars(_next_team(now)).first()
            job = session.scalars(_first_of(team, now)).first() if team is not None else None
            if job is None:  # or just being cancelled
                return None
            job.state, job.lease, job.worker = "running", secrets.token_hex(16), worker
            job.lease_until = now + self.lease_seconds
            job.attempt += 1
            job.started = job.started or now
            waited = max(job.created, job.not_before)
            served = session.scalars(select(func.max(Team.served))).one()
            session.execute(update(Team).where(Team.id == team).values(served=served + 1))
            _record(session, job.id, job.attempt, now, "JobState", {"state": "running"})
            return Lease(
                job=job.id,
                name=job.name,
                team=job.team_id,
                attempt=job.attempt,
                secret=job.lease,
                time_limit=job.time_limit,
                memory_limit=job.memory_limit,
                asked=job.asked,
                waited=waited,
                leased=now,
                trace=job.trace,
            )

    def renew(self, lease: Lease) -> bool:
        """Whether to go on; False: the user has cancelled the job. Raises LeaseLost."""
        with self._database.write(durable=False) as session:
            values = {"lease_until": self._now(session) + self.lease_seconds}
            self._held(session, lease, values)
            return not session.scalars(select(Job.cancel_requested).where(Job.id == lease.job)).one()

    def finish(self, lease: Lease, outcome: Outcome) -> None:
        """Raises LeaseLost."""
        self._end(lease, outcome.state, outcome)

    def finish_cancelled(self, lease: Lease) -> None:
        """Once the job's processes are gone. Raises LeaseLost."""
        self._end(lease, "cancelled", Outcome(130))

    def give_back(self, lease: Lease, reason: str = "its worker was stopped") -> None:
        """Another worker goes on at once, if there is one, and nobody is to blame: this one is asked to stop, or cannot
        work now. Raises LeaseLost."""
        with self._database.write() as session:
            self._held(session, lease, {"lease": None, "lease_until": None, "worker": None})
            self._queue_again(session, lease.job, self._now(session), faults=0, reason=reason)

    def fault(self, lease: Lease, reason: str) -> None:
        """The machinery failed, not the job: it is tried again, later each time, and at last given up.
        Raises LeaseLost."""
        with self._database.write() as session:
            self._held(session, lease, {"lease": None, "lease_until": None, "worker": None})
            self._queue_again(session, lease.job, self._now(session), faults=1, reason=reason)

    def record(self, lease: Lease, events: Iterable[tuple[float, str, Mapping[str, Any]]]) -> None:
        """(time, kind, data) each; in the order of their ids as everybody sees them. A stage that was finished is kept,
        so whatever fails the job afterwards has not failed it at the same place: its faults are counted anew."""
        found = list(events)
        with self._database.write(durable=False) as session:
            session.execute(select(Job.id).where(Job.id == lease.job).with_for_update())
            session.add_all(_event(lease.job, lease.attempt, *each) for each in found)
            if any(kind == "StageFinished" and _got_on(data) for _, kind, data in found):
                mine = update(Job).where(Job.id == lease.job, Job.lease == lease.secret, Job.faults > 0)
                session.execute(mine.values(faults=0))

    def cancel(self, session: Session, job: Job) -> None:
        """A waiting job ends here; of a running one, its worker is told at its next renewal. A job that has ended stays
        as it is. Within the caller's transaction, so `job` is as the database has it."""
        now = self._now(session)
        if job.state == "queued":
            job.state, job.finished, job.exit_code = "cancelled", now, 130
            _record(session, job.id, job.attempt, now, "JobState", {"state": "cancelled"})
        elif job.state == "running":
            job.cancel_requested = True

    def retry(self, session: Session, job: Job) -> None:
        """A job that failed or was cancelled waits again, as new. Within the caller's transaction."""
        now = self._now(session)
        job.state, job.faults, job.cancel_requested, job.not_before = "queued", 0, False, now
        job.finished = job.exit_code = job.error = job.result = None
        _record(session, job.id, job.attempt, now, "JobState", {"state": "queued", "reason": "asked for again"})

    def seen(self, worker: str) -> None:
        """The worker lives."""
        with self._database.write(durable=False) as session:
            now = self._now(session)
            row = session.get(WorkerRow, worker)
            if row is None:
                session.execute(delete(WorkerRow).where(WorkerRow.seen < now - FORGOTTEN_SECONDS))
                session.add(WorkerRow(name=worker, started=now, seen=now))
            else:
                row.seen = now

    def gone(self, worker: str) -> None:
        with self._database.write(durable=False) as session:
            if row := session.get(WorkerRow, worker):
                session.delete(row)

    def _now(self, session: Session) -> float:
        return self._clock() if self._clock is not None else self._database.now(session)

    def _held(self, session: Session, lease: Lease, values: Mapping[str, Any]) -> None:
        """Change the job if the lease is still the job's. Raises LeaseLost."""
        mine = update(Job).where(Job.id == lease.job, Job.lease == lease.secret, Job.state == "running")
        if changed_rows(session, mine.values(**values)) != 1:
            raise LeaseLost(lease.name)

    def _end(self, lease: Lease, state: State, outcome: Outcome) -> None:
        with self._database.write() as session:
            now = self._now(session)
            values = {
                "state": state,
                "finished": now,
                "exit_code": outcome.exit_code,
                "error": outcome.error,
                "result": lease.attempt if outcome.written else None,
                "lease": None,
                "lease_until": None,
            }
            self._held(session, lease, values)
            _record(session, lease.job, lease.attempt, now, "JobState", {"state": state})

    def _take_back(self, session: Session, now: float) -> None:
        """What dead workers held."""
        dead = select(Job.id).where(Job.state == "running", Job.lease_until < now).with_for_update(skip_locked=True)
        for job in session.scalars(dead).all():
            self._queue_again(session, job, now, faults=1, reason="its worker died")

    def _queue_again(self, session: Session, job_id: int, now: float, *, faults: int, reason: str) -> None:
        job = session.get_one(Job, job_id, populate_existing=True)
        job.lease = job.lease_until = job.worker = None
        job.faults += faults
        if job.cancel_requested:
            job.state, job.finished, job.exit_code = "cancelled", now, 130
        elif job.faults >= MAX_FAULTS:
            job.state, job.finished, job.exit_code = "failed", now, 4
            job.error = {**LOST, "message": f"given up after {job.faults} attempts; of the last one: {reason}"}
        else:
            job.state = "queued"
            job.not_before = now + BACK_OFF_SECONDS[job.faults - 1] if faults else now
        _record(session, job.id, job.attempt, now, "JobState", {"state": job.state, "reason": reason})


def _got_on(finished: Mapping[str, Any]) -> bool:
    return bool(finished.get("status") == "ok" and finished.get("cache") == "miss")


def _first_of(team: int, now: float) -> Any:
    """The team's next job, unless another transaction is just changing it. In two steps, each of which the index
    `jobs_waiting` answers by its end: one ORDER BY, down by the priority and up by the age, would sort all that wait.
    None is above the highest; asked for by `==`, PostgreSQL went through all jobs by their ids, those that had ended
    too."""
    mine = (Job.team_id == team, Job.state == "queued", Job.not_before <= now)
    waiting = select(Job).where(*mine, Job.priority >= _highest(*mine))
    return waiting.order_by(Job.priority, Job.id).limit(1).with_for_update(skip_locked=True, of=Job)


def _next_team(now: float) -> Any:
    running = select(func.count()).where(Job.team_id == Team.id, Job.state == "running").scalar_subquery()
    # Not EXISTS, which PostgreSQL may answer by reading every job that waits.
    highest = _highest(Job.team_id == Team.id, Job.state == "queued", Job.not_before <= now)
    return select(Team.id).where(highest.is_not(None)).order_by(running, Team.served, Team.id).limit(1)


def _highest(*jobs: ColumnElement[bool]) -> ScalarSelect[int]:
    """Their highest priority; NULL where there are none."""
    return select(Job.priority).where(*jobs).order_by(Job.priority.desc()).limit(1).scalar_subquery()


def _record(session: Session, job: int, attempt: int, now: float, kind: str, data: Mapping[str, Any]) -> None:
    session.flush()  # the job's row first: who holds it decides the order of the job's events
    session.add(_event(job, attempt, now, kind, data))


def _event(job: int, attempt: int, time: float, kind: str, data: Mapping[str, Any]) -> JobEvent:
    return JobEvent(job_id=job, attempt=attempt, time=time, kind=kind, data=dict(data))
