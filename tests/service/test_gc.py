"""What is removed by itself, and what is not: nothing that a job needs, however old it is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from dlpipe.service.accounts import Caller, first_administrator
from dlpipe.service.asked import Asked
from dlpipe.service.database import Database, open_database
from dlpipe.service.gc import DAY, collect
from dlpipe.service.jobs import new_job
from dlpipe.service.places import Places
from dlpipe.service.tables import Job, Token

from .running import Service

KEPT, GONE, WAITS = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, tmp_path / "x.sqlite")


@pytest.fixture
def database(places: Places) -> Any:
    opened = open_database(places.database)
    opened.migrate()
    with opened.write() as session:
        first_administrator(session, "x" * 20, 0.0)
    yield opened
    opened.close()


def a_job(database: Database, digest: str, **row: Any) -> str:
    model = {"files": {"m.onnx": digest}, "entry": "m.onnx"}
    asked = Asked.model_validate({"model": model, "targets": ["x86-64"]})
    with database.write() as session:
        token = session.scalars(select(Token)).one()
        caller = Caller(token.id, token.team_id, "default", "t", frozenset(), None)
        name = new_job(database, session, caller, asked, None).name
        session.execute(update(Job).where(Job.name == name).values(**{"state": "queued", **row}))
    return name


def old(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10)
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def test_only_what_nobody_needs_goes(database: Database, places: Places) -> None:
    long_ago, lately = time.time() - 40 * DAY, time.time() - DAY
    ended = a_job(database, GONE, state="succeeded", finished=long_ago, attempt=1, result=1)
    recent = a_job(database, KEPT, state="succeeded", finished=lately, attempt=3, result=2)
    waiting = a_job(database, WAITS)
    running = a_job(database, WAITS, state="running", lease="l", lease_until=time.time() + 999, attempt=2)
    paths = {digest: old(places.uploads(1) / digest[:2] / digest, 90) for digest in (KEPT, GONE, WAITS)}
    part = old(places.uploads(1) / "dd" / f"{'d' * 64}.part", 90)
    fresh = old(places.uploads(1) / "ee" / ("e" * 64), 1)
    for name, attempt in ((ended, 1), (recent, 1), (recent, 2), (recent, 3), (running, 1), (running, 2)):
        old(places.attempt(name, attempt) / "log.txt", 90)
    nobodys = places.job(f"job-{'0' * 16}")
    nobodys.mkdir()
    os.utime(nobodys, (long_ago, long_ago))
    would = collect(database, places, 30, dry_run=True)
    assert places.job(ended).is_dir()
    assert all(path.is_file() for path in [*paths.values(), part, fresh])
    found = collect(database, places, 30)
    assert found.jobs == would.jobs == [ended]
    assert sorted(found.attempts) == sorted([f"{recent}/1", f"{running}/1", nobodys.name])
    assert found.uploads == [f"1/{GONE}", f"1/{part.name}"], "the upload of the job that has just gone, too"
    assert found.bytes == 50
    with database.read() as session:
        assert set(session.scalars(select(Job.name))) == {recent, waiting, running}
    assert not places.job(ended).exists()
    assert sorted(each.name for each in places.job(recent).iterdir()) == ["2", "3"]
    assert [path.is_file() for path in paths.values()] == [True, False, True]
    assert fresh.is_file()
    assert collect(database, places, 30).bytes == 0


def test_what_a_client_has_just_looked_for_stays(idle: Service) -> None:
    digest = idle.upload(b"sent long ago, and about to be used again")
    team = next(iter((idle.data / "uploads").iterdir()))
    path = team / digest[:2] / digest
    os.utime(path, (0, 0))
    listed = idle.ok("service", "gc", "--keep-days", 30, "--dry-run", "--json").json
    assert f"{team.name}/{digest}" in listed["uploads"]
    assert idle.ask("HEAD", f"/uploads/{digest}").status == 204
    idle.ok("service", "gc", "--keep-days", 30)
    assert path.is_file()
    os.utime(path, (0, 0))
    assert "1 upload:" in idle.ok("service", "gc", "--keep-days", 30).out
    assert idle.ask("HEAD", f"/uploads/{digest}").status == 404


def test_gc_wants_a_services_data(idle: Service, tmp_path: Path) -> None:
    refused = idle.user.dlpipe("service", "gc", "--keep-days", 1, env={"DLPIPE_DATA_DIR": str(tmp_path)})
    assert (refused.code, "DLPIPE_DATA_DIR" in refused.err) == (2, True)
