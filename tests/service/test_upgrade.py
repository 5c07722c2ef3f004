"""A service of the first revision, with teams, jobs and events in its database, becomes today's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, insert, select
from sqlalchemy.sql import table
from sqlalchemy.sql.expression import column

from dlpipe.service.accounts import Caller
from dlpipe.service.asked import Asked
from dlpipe.service.callers import Callers
from dlpipe.service.database import Database, open_database
from dlpipe.service.jobs import new_job
from dlpipe.service.progress import stages
from dlpipe.service.queue import Outcome, Queue
from dlpipe.service.quotas import MAX_WAITING, Limits
from dlpipe.service.tables import Job, Team

SECRET = "a-secret-of-a-service-that-was-older"
MODEL = {"files": {"m.onnx": "a" * 64}, "entry": "m.onnx"}
# What the first version wrote: it knew neither limits of memory nor boards.
ASKED = {"model": MODEL, "zoo": None, "targets": ["x86-64"], "precision": "int8", "label": "old", "time_limit": 60.0}
TEAMS = [
    {"name": "default", "created": 1.0, "served": 3},
    {"name": "speech", "created": 2.0, "served": 7},
]
JOB = {
    "team_id": 2,
    "token_id": 1,
    "asked": ASKED,
    "words": "m.onnx old x86-64",
    "priority": 0,
    "time_limit": 60.0,
    "created": 10.0,
    "not_before": 0.0,
    "attempt": 0,
    "faults": 0,
    "cancel_requested": False,
}
DONE = {"attempt": 1, "started": 11.0, "finished": 12.0, "exit_code": 0, "result": 1, "worker": "w-1"}
HELD = {"attempt": 2, "started": 13.0, "lease": "f" * 32, "lease_until": 43.0, "worker": "w-1"}
LAID = {"exit_code": 2, "error": {"error": "BadModel", "message": "no model", "where": {}}, "finished": 14.0}
JOBS: list[dict[str, Any]] = [
    {**JOB, "name": "job-done", "state": "succeeded", "idempotency_key": "k", **DONE},
    {**JOB, "name": "job-held", "state": "running", **HELD},
    {**JOB, "name": "job-waits", "state": "queued"},
    {**JOB, "name": "job-failed", "state": "failed", **LAID},
]
FINISHED = {"stage": "import", "kind": "import", "cache": "miss", "status": "ok", "seconds": 1.5}
EVENTS = [
    {"job_id": 1, "attempt": 1, "time": 11.0, "kind": "JobState", "data": {"state": "running"}},
    {"job_id": 1, "attempt": 1, "time": 11.5, "kind": "StageFinished", "data": FINISHED},
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    sqlite = request.param == "sqlite"
    place = tmp_path / "x.sqlite" if sqlite else request.getfixturevalue("postgresql").new_database()
    opened = open_database(place)
    opened.migrate("0001")
    fill(opened)
    yield opened
    opened.close()


def fill(database: Database) -> None:
    """By the columns that there were, whatever today's tables have. The database numbers the rows, from 1 on."""
    token: dict[str, Any] = {"team_id": 2, "name": "ci", "scopes": "read submit", "created": 3.0}
    token["hash"] = hashlib.sha256(SECRET.encode()).hexdigest()
    rows: dict[str, list[dict[str, Any]]] = {
        "teams": TEAMS,
        "tokens": [token],
        "workers": [{"name": "w-1", "started": 4.0, "seen": 5.0}],
        "jobs": JOBS,
        "events": EVENTS,
    }
    with database.write() as session:
        for name, each in rows.items():
            for row in each:
                columns = [column(key, JSON() if key in ("asked", "error", "data") else None) for key in row]
                session.execute(insert(table(name, *columns)), row)


def test_everything_is_there_afterwards_and_goes_on(database: Database) -> None:
    database.migrate()
    database.migrate()  # the next start finds nothing to do
    with database.read() as session:
        assert {each.name: each.served for each in session.scalars(select(Team))} == {"default": 3, "speech": 7}
        speech = session.get_one(Team, 2)
        assert Limits.of(speech) == Limits(None, MAX_WAITING, 24 * 3600.0, None), "it may have what everybody may"
        jobs = {each.name: each for each in session.scalars(select(Job))}
        done, failed = jobs["job-done"], jobs["job-failed"]
        assert (done.state, done.asked, done.result, done.idempotency_key) == ("succeeded", ASKED, 1, "k")
        assert (failed.exit_code, failed.error) == (2, LAID["error"])
        assert {each.memory_limit for each in jobs.values()} == {None}
        (stage,) = stages(session, done)
        assert (stage.stage, stage.state, stage.seconds) == ("import", "ok", 1.5)
        assert done.shown == {"title": "m.onnx", "label": "old", "targets": ["x86-64"], "backends": []}
    caller = Callers(database).look_up(SECRET)
    assert caller is not None
    assert (caller.team_name, caller.scopes) == ("speech", {"read", "submit"})
    runs_on(database, caller)


def runs_on(database: Database, caller: Caller) -> None:
    """What was held by a worker that is dead by now, what waits, and what is new: each once."""
    now = [1_000_000.0]
    queue = Queue(database, clock=lambda: now[0])
    asked = Asked.model_validate({"model": MODEL, "targets": ["arm64"]})
    with database.write() as session:
        new = new_job(database, session, caller, asked, None).name
    taken = []
    while lease := queue.lease("w-2"):
        assert lease.asked["targets"], lease.name
        taken.append(lease.name)
        queue.finish(lease, Outcome(0))
    assert taken == ["job-waits", new], "the held one waits a little after its worker's death"
    now[0] += 60
    again = queue.lease("w-2")
    assert again is not None
    assert (again.name, again.attempt, again.memory_limit) == ("job-held", 3, None)
    with database.read() as session:
        assert session.get_one(Job, again.job).faults == 1
