"""The queue against a model of it: whatever users, workers and the clock do, no job is lost, none is run by two, and
each has one result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from dlpipe.service.accounts import FIRST_TEAM, Caller, first_administrator, make_team
from dlpipe.service.asked import Asked
from dlpipe.service.database import Database, open_database
from dlpipe.service.jobs import new_job
from dlpipe.service.queue import BACK_OFF_SECONDS, FINAL, MAX_FAULTS, Lease, LeaseLost, Outcome, Queue
from dlpipe.service.tables import Job, JobEvent, Team, Token
from tests.pipeline.postgresql_server import Server

LEASE = 30.0
WELL = Outcome(0, None, written=True)
TEAMS = ("a", "b", "c")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def opened(place: Path | str) -> Iterator[Database]:
    """With three teams."""
    database = open_database(place)
    database.migrate()
    with database.write() as session:
        first_administrator(session, "x" * 20, 0.0)
        for name in TEAMS:
            make_team(session, name, 0.0)
    yield database
    database.close()


def ask(database: Database, team: str, priority: int = 0) -> str:
    """A new job's name."""
    asked = Asked(zoo="any", targets=["x86-64"], priority=priority)
    with database.write() as session:
        found = session.scalars(select(Team).where(Team.name == team)).one()
        token = session.scalars(select(Token)).one()
        return new_job(database, session, Caller(token.id, found.id, team, "t", frozenset(), None), asked, None).name


def job(database: Database, name: str) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).where(Job.name == name)).one()


def change(database: Database, queue: Queue, name: str, what: str) -> None:
    with database.write() as session:
        getattr(queue, what)(session, session.scalars(select(Job).where(Job.name == name)).one())


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    server: Server | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    with opened(server.new_database() if server is not None else tmp_path / "queue.sqlite") as found:
        yield found


def test_every_team_gets_its_turn_and_its_own_order(database: Database) -> None:
    queue = Queue(database)
    names = {name: (team, priority) for team, priority in
             [("a", 0), ("a", 0), ("a", 5), ("b", -100), ("b", 0), ("c", 0)]
             for name in [ask(database, team, priority)]}  # fmt: skip
    order = []
    while lease := queue.lease("w"):
        order.append(names[lease.name])
        queue.finish(lease, WELL)
    assert order == [("a", 5), ("b", 0), ("c", 0), ("a", 0), ("b", -100), ("a", 0)]


def test_who_runs_least_is_next(database: Database) -> None:
    queue = Queue(database)
    for team in "aaab":
        ask(database, team)
    running = [queue.lease("w") for _ in range(4)]
    assert all(running)
    ask(database, "a")
    ask(database, "b")
    (last,) = [each for each in running if each and job(database, each.name).team_id == running[1].team]
    queue.finish(last, WELL)
    after = queue.lease("w")
    assert after is not None
    assert after.team == last.team, "that team runs nothing, the other one three"


def test_a_job_that_gets_on_is_not_given_up(database: Database) -> None:
    clock = Clock()
    queue = Queue(database, lease_seconds=LEASE, clock=clock)
    name = ask(database, "a")
    for number in range(3 * MAX_FAULTS):
        lease = queue.lease("dies")
        assert lease is not None
        stage = {"stage": f"s{number}", "kind": "k", "cache": "miss", "seconds": 1.0, "status": "ok"}
        queue.record(lease, [(clock.now, "StageFinished", stage)])
        queue.fault(lease, "killed")
        clock.now += max(BACK_OFF_SECONDS)
    for _ in range(MAX_FAULTS - 1):  # at the same place: what it finds in the store is no step forward
        lease = queue.lease("dies")
        assert lease is not None, job(database, name).error
        found = {"stage": "s0", "kind": "k", "cache": "hit", "seconds": 0.0, "status": "ok"}
        queue.record(lease, [(clock.now, "StageFinished", found)])
        queue.fault(lease, "killed")
        clock.now += max(BACK_OFF_SECONDS)
    assert job(database, name).state == "failed"


def test_a_dead_workers_job_is_gone_on_with_and_it_is_not_heard_any_more(database: Database) -> None:
    clock = Clock()
    queue = Queue(database, lease_seconds=LEASE, clock=clock)
    name = ask(database, "a")
    dead = queue.lease("dead")
    assert dead is not None
    clock.now += LEASE + 1
    assert queue.lease("w") is None, "it backs off"
    clock.now += BACK_OFF_SECONDS[0]
    heir = queue.lease("w")
    assert heir is not None
    assert (heir.name, heir.attempt) == (name, 2)
    for late in (lambda: queue.finish(dead, WELL), lambda: queue.renew(dead), lambda: queue.fault(dead, "x")):
        with pytest.raises(LeaseLost):
            late()
    queue.finish(heir, WELL)
    assert (job(database, name).state, job(database, name).result) == ("succeeded", 2)


def test_a_job_that_kills_its_workers_is_given_up(database: Database) -> None:
    clock = Clock()
    queue = Queue(database, lease_seconds=LEASE, clock=clock)
    name = ask(database, "a")
    for _ in range(MAX_FAULTS):
        assert queue.lease("w") is not None
        clock.now += LEASE + 1
        assert queue.lease("another") is None
        clock.now += max(BACK_OFF_SECONDS)
    ended = job(database, name)
    assert (ended.state, ended.exit_code) == ("failed", 4)
    assert ended.error is not None
    assert "its worker died" in ended.error["message"]
    change(database, queue, name, "retry")
    assert queue.lease("w") is not None, "asked for again, it counts anew"


def test_stopping_a_worker_is_nobodys_fault(database: Database) -> None:
    queue = Queue(database)
    name = ask(database, "a")
    for attempt in range(1, MAX_FAULTS + 3):
        lease = queue.lease("w")
        assert lease is not None
        assert lease.attempt == attempt
        queue.give_back(lease)
    assert job(database, name).state == "queued"


def test_a_running_job_is_cancelled_by_its_worker_or_with_it(database: Database) -> None:
    clock = Clock()
    queue = Queue(database, lease_seconds=LEASE, clock=clock)
    first, second = ask(database, "a"), ask(database, "b")
    leases = [queue.lease("w"), queue.lease("w")]
    assert all(leases)
    for name, lease in zip((first, second), leases, strict=True):
        assert lease is not None
        assert queue.renew(lease)
        change(database, queue, name, "cancel")
        assert not queue.renew(lease)
    assert leases[0] is not None
    queue.finish_cancelled(leases[0])
    clock.now += LEASE + 1
    assert queue.lease("w") is None
    assert [job(database, name).state for name in (first, second)] == ["cancelled", "cancelled"]


def test_many_workers_at_once_take_each_job_once(database: Database) -> None:
    names = {ask(database, team) for team in TEAMS for _ in range(8)}
    taken: list[Lease] = []

    def work() -> None:
        queue = Queue(database)
        misses = 0
        while misses < 3:  # another transaction may just hold what is next
            lease = queue.lease(threading.current_thread().name)
            if lease is None:
                misses += 1
                continue
            taken.append(lease)
            queue.finish(lease, WELL)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.name for each in taken) == sorted(names)
    assert {job(database, name).state for name in names} == {"succeeded"}


def test_events_come_in_the_order_of_what_happened(database: Database) -> None:
    queue = Queue(database)
    name = ask(database, "a")
    lease = queue.lease("w")
    assert lease is not None
    queue.record(lease, [(1.0, "StageStarted", {"stage": "import"}), (2.0, "StageFinished", {"stage": "import"})])
    queue.finish(lease, WELL)
    with database.read() as session:
        found = session.scalars(select(JobEvent).join(Job).where(Job.name == name).order_by(JobEvent.id)).all()
    assert [each.data.get("state", each.kind) for each in found] == [
        "queued", "running", "StageStarted", "StageFinished", "succeeded",
    ]  # fmt: skip


class Machine(RuleBasedStateMachine):
    """Any order of submissions, leases, deaths, cancellations and retries."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._opened = opened(Path(self._folder.name) / "queue.sqlite")
        self.database = self._opened.__enter__()
        self.clock = Clock()
        self.queue = Queue(self.database, lease_seconds=LEASE, clock=self.clock)
        self.names: list[str] = []
        self.held: list[tuple[Lease, float]] = []  # and until when it surely lasts
        self.results: dict[str, int] = {}  # job -> the attempt that was accepted as its end

    def teardown(self) -> None:
        self._opened.__exit__(None, None, None)
        self._folder.cleanup()

    @rule(target=jobs, team=st.sampled_from(TEAMS), priority=st.integers(-3, 3))
    def submit(self, team: str, priority: int) -> str:
        self.names.append(ask(self.database, team, priority))
        return self.names[-1]

    @rule()
    def lease(self) -> None:
        lease = self.queue.lease("w")
        if lease is not None:
            holders = [each for each, until in self.held if each.name == lease.name and until >= self.clock.now]
            assert not holders, "another worker holds it, and lives"
            assert lease.name not in self.results
            self.held.append((lease, self.clock.now + LEASE))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail", "fault", "give_back", "renew"]))
    def end(self, data: st.DataObject, how: str) -> None:
        """By any worker that ever had it: the dead come back too."""
        index = data.draw(st.integers(0, len(self.held) - 1))
        lease, until = self.held[index]
        try:
            match how:
                case "finish":
                    self.queue.finish(lease, WELL)
                case "fail":
                    self.queue.finish(lease, Outcome(2, {"message": "bad"}))
                case "fault":
                    self.queue.fault(lease, "x")
                case "give_back":
                    self.queue.give_back(lease)
                case _:
                    if self.queue.renew(lease):
                        self.held[index] = (lease, self.clock.now + LEASE)
                    return
        except LeaseLost:
            assert until < self.clock.now or lease.name in self.results or self._newer(lease)
            return
        self.held[index] = (lease, 0.0)
        if how in ("finish", "fail"):
            assert lease.name not in self.results, "a second result"
            self.results[lease.name] = lease.attempt

    def _newer(self, lease: Lease) -> bool:
        return job(self.database, lease.name).lease != lease.secret

    @rule(name=jobs)
    def cancel(self, name: str) -> None:
        change(self.database, self.queue, name, "cancel")

    @rule(name=jobs)
    def retry(self, name: str) -> None:
        if job(self.database, name).state in ("failed", "cancelled"):
            change(self.database, self.queue, name, "retry")
            self.results.pop(name, None)

    @rule(seconds=st.sampled_from([1.0, LEASE + 1, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def each_job_is_somewhere(self) -> None:
        with self.database.read() as session:
            rows = {row.name: row for row in session.scalars(select(Job))}
        assert rows.keys() == set(self.names)
        for name, row in rows.items():
            assert (row.state == "running") == (row.lease is not None)
            assert (row.state in FINAL) == (row.finished is not None) == (row.exit_code is not None)
            if name in self.results:
                assert row.state in ("succeeded", "failed")


Machine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_whatever_happens = Machine.TestCase
assert FIRST_TEAM not in TEAMS
