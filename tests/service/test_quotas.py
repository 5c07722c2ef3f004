"""What a team may have, how it makes room, and what it cannot remove."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dlpipe.service.database import open_database
from dlpipe.service.places import Places
from dlpipe.service.quotas import BLOCK, Promise, Usage, Used
from dlpipe.service.tables import Job

from .running import NO_MODEL, Service


def limited(service: Service, team: str, **limits: Any) -> tuple[str, int]:
    """A token of a team with these limits, and the team's id."""
    token = service.token(team, "read", "submit")
    number = next(each["id"] for each in service.ask("GET", "/teams").json if each["name"] == team)
    changed = service.ask("PATCH", f"/teams/{number}", limits)
    assert (changed.status, changed.json | limits) == (200, changed.json)
    return token, number


def test_a_team_has_room_again_once_it_has_removed_something(idle: Service) -> None:
    token, number = limited(idle, "cramped", max_bytes=10 * BLOCK)
    kept, gone = os.urandom(4 * BLOCK), os.urandom(5 * BLOCK)
    idle.upload(kept, token=token)
    digest = idle.upload(gone, token=token)
    more = NO_MODEL + os.urandom(BLOCK)
    where = f"/uploads/{hashlib.sha256(more).hexdigest()}"
    refused = idle.ask("PUT", where, more, token=token)
    assert (refused.status, refused.json["used"]["uploads"], refused.json["limit"]) == (413, 9 * BLOCK, 10 * BLOCK)
    assert "DELETE /api/v1/jobs" in refused.json["hint"]
    assert idle.ask("HEAD", where, token=token).status == 404, "nothing of it was kept"
    assert idle.ask("DELETE", f"/uploads/{digest}", token=token).status == 204
    assert idle.ask("HEAD", f"/uploads/{digest}", token=token).status == 404
    assert idle.ask("DELETE", f"/uploads/{digest}", token=token).status == 404
    assert idle.ask("PUT", where, more, token=token).status == 201
    used = idle.ask("GET", "/usage", token=token).json
    assert (used["uploads"], used["max_bytes"]) == (6 * BLOCK, 10 * BLOCK)
    idle.ask("PATCH", f"/teams/{number}", {"max_bytes": 10})
    model = {"files": {"m.onnx": hashlib.sha256(more).hexdigest()}, "entry": "m.onnx"}
    asked = {"model": model, "targets": ["x86-64"]}
    assert idle.ask("POST", "/jobs", asked, token=token).status == 413
    assert idle.ask("PATCH", f"/teams/{number}", {"max_bytes": None}).json["max_bytes"] is None
    assert idle.ask("POST", "/jobs", asked, token=token).status == 201


def test_many_at_once_get_no_more_room_than_there_is(idle: Service) -> None:
    token, _ = limited(idle, "hasty", max_bytes=100_000)
    contents = [os.urandom(90_000) for _ in range(24)]

    def send(content: bytes) -> int:
        where = f"/uploads/{hashlib.sha256(content).hexdigest()}"
        return idle.ask("PUT", where, content, token=token).status

    with ThreadPoolExecutor(len(contents)) as threads:
        statuses = sorted(threads.map(send, contents))
    assert statuses == [201] + [413] * (len(contents) - 1)


def test_a_promise_holds_however_often_the_disk_is_read(tmp_path: Path) -> None:
    database = open_database(tmp_path / "x.sqlite")
    database.migrate()
    usage = Usage(Places(tmp_path, tmp_path / "x.sqlite"), database)
    first = usage.promise(1, "uploads", 900, 1000)
    assert isinstance(first, Promise)
    usage.forget(1)
    refused = usage.promise(1, "uploads", 200, 1000)
    assert isinstance(refused, Used)
    assert (refused.uploads, usage.of(1).uploads) == (900, 0)
    usage.kept(first, 0)
    assert isinstance(usage.promise(1, "uploads", 200, 1000), Promise)
    database.close()


def test_what_was_asked_for_counts_too(idle: Service) -> None:
    """A job's names of files lie in the database, which is on the same disk."""
    token, _ = limited(idle, "talkative", max_bytes=100_000)
    digest = idle.upload(NO_MODEL, token=token)
    files = {f"{number}-{'n' * 200}": digest for number in range(200)}
    asked = {"model": {"files": files, "entry": "."}, "targets": ["x86-64"]}
    jobs = [idle.ask("POST", "/jobs", asked, token=token) for _ in range(3)]
    assert [each.status for each in jobs] == [201, 413, 413]
    assert idle.ask("GET", "/usage", token=token).json["jobs"] > 50_000
    idle.ask("POST", f"/jobs/{jobs[0].json['id']}/cancel", token=token)
    idle.ask("DELETE", f"/jobs/{jobs[0].json['id']}", token=token)
    assert idle.ask("POST", "/jobs", asked, token=token).status == 201


def test_parts_count_and_can_be_removed(idle: Service) -> None:
    token, _ = limited(idle, "interrupted", max_bytes=2 * BLOCK)
    digest = "a" * 64
    part = {"Content-Range": "bytes 0-99/900"}
    assert idle.ask("PUT", f"/uploads/{digest}", b"x" * 100, token=token, headers=part).status == 202
    assert idle.ask("GET", "/usage", token=token).json["uploads"] == BLOCK
    for name in "bc":
        status = idle.ask(
            "PUT", f"/uploads/{name * 64}", b"x", token=token, headers={"Content-Range": "bytes 0-0/2"}
        ).status
        assert status == (202 if name == "b" else 413), "files of one byte fill a disk too"
    assert idle.ask("DELETE", f"/uploads/{'b' * 64}", token=token).status == 204
    assert idle.ask("DELETE", f"/uploads/{digest}", token=token).status == 204
    assert idle.ask("GET", "/usage", token=token).json["uploads"] == 0


def test_only_so_many_jobs_wait(idle: Service) -> None:
    token, _ = limited(idle, "impatient", max_waiting=2)
    key = {"Idempotency-Key": "first"}
    first = idle.submit(token=token, headers=key).json["id"]
    assert idle.submit(token=token).status == 201
    refused = idle.submit(token=token)
    assert (refused.status, "retry-after" in refused.headers) == (429, True)
    assert "cancel" in refused.json["hint"]
    assert idle.submit(token=token, headers=key).json["id"] == first, "what is here is no new one"
    assert idle.ask("POST", f"/jobs/{first}/cancel", token=token).status == 202
    assert idle.submit(token=token).status == 201
    assert idle.ask("GET", "/usage", token=token).json["waiting"] == 2
    again = idle.ask("POST", f"/jobs/{first}/retry", token=token)
    assert (again.status, "waiting already" in again.json["detail"]) == (429, True), "by way of cancelling, no more"


def test_a_team_past_its_limit_tries_nothing_again(idle: Service) -> None:
    token, number = limited(idle, "overfull")
    job = idle.submit(token=token).json["id"]
    idle.ask("POST", f"/jobs/{job}/cancel", token=token)
    idle.ask("PATCH", f"/teams/{number}", {"max_bytes": 1})
    assert idle.ask("POST", f"/jobs/{job}/retry", token=token).status == 413


def test_a_job_asks_for_no_more_time_and_memory_than_its_team_may_have(idle: Service) -> None:
    token, _ = limited(idle, "modest", max_time_limit=60, max_memory=1 << 30)
    for asked in ({"time_limit": 61}, {"memory_limit": (1 << 30) + 1}):
        refused = idle.submit(token=token, **asked)
        assert (refused.status, next(iter(asked)) in refused.json["detail"]) == (422, True)
    assert idle.submit(token=token, time_limit=60, memory_limit=1 << 30).status == 201
    job = idle.submit(token=token).json["id"]
    database = open_database(idle.data / "service.sqlite")
    with database.read() as session:
        row = session.query(Job).where(Job.name == job).one()
        assert (row.time_limit, row.memory_limit) == (60, 1 << 30), "where it names none, it has what the team may have"
    database.close()


def test_a_job_goes_once_it_has_ended(idle: Service) -> None:
    token = idle.token("tidy", "read", "submit")
    job = idle.submit(token=token).json["id"]
    assert idle.ask("DELETE", f"/jobs/{job}", token=token).status == 409
    idle.ask("POST", f"/jobs/{job}/cancel", token=token)
    folder = idle.data / "jobs" / job / "1"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("what it said")
    stranger = idle.token("nosy", "read", "submit")
    assert idle.ask("DELETE", f"/jobs/{job}", token=stranger).status == 404
    assert idle.ask("DELETE", f"/jobs/{job}", token=token).status == 204
    assert idle.ask("GET", f"/jobs/{job}", token=token).status == 404
    assert idle.ask("GET", "/jobs", token=token).json["jobs"] == []
    assert not folder.parent.exists()
    assert idle.ask("DELETE", f"/jobs/{job}", token=token).status == 404


def test_a_file_stays_while_a_job_needs_it(idle: Service) -> None:
    token = idle.token("needy", "read", "submit")
    job = idle.submit(token=token).json["id"]
    digest = hashlib.sha256(NO_MODEL).hexdigest()
    refused = idle.ask("DELETE", f"/uploads/{digest}", token=token)
    assert (refused.status, job in refused.json["detail"]) == (409, True)
    idle.ask("POST", f"/jobs/{job}/cancel", token=token)
    assert idle.ask("DELETE", f"/uploads/{digest}", token=token).status == 204
    again = idle.ask("POST", f"/jobs/{job}/retry", token=token)
    assert (again.status, again.json["missing"]) == (422, [digest])
    idle.upload(NO_MODEL, token=token)
    assert idle.ask("POST", f"/jobs/{job}/retry", token=token).status == 202


@pytest.mark.parametrize(
    "limits",
    [
        {"max_bytes": -1},
        {"max_waiting": 1.5},
        {"max_time_limit": 0},
        {"max_time_limit": 1e9},
        {"max_memory": 1},
        {"name": "another"},
    ],
)
def test_what_no_limit_can_be(idle: Service, limits: dict[str, Any]) -> None:
    assert idle.ask("PATCH", "/teams/1", limits).status == 422


def test_what_stricter_rules_would_refuse_is_still_shown(idle: Service) -> None:
    """Accepted by an older version: with a field that there is no more, a target that is gone, nothing for lists."""
    token = idle.token("old customers", "read", "submit")
    job = idle.submit(token=token, label="kept").json["id"]
    then = {"zoo": None, "model": {"files": {"con:m.pb": "x"}, "entry": "con:m.pb"}, "label": "kept", "gone": 1}
    database = open_database(idle.data / "service.sqlite")
    with database.write() as session:
        session.execute(update(Job).where(Job.name == job).values(asked={**then, "targets": ["z80"]}, shown=None))
    database.close()
    shown = idle.ask("GET", f"/jobs/{job}", token=token).json
    assert (shown["title"], shown["label"], shown["targets"]) == ("con:m.pb", "kept", ["z80"])
    assert [each["id"] for each in idle.ask("GET", "/jobs", token=token).json["jobs"]] == [job]
    assert idle.ask("POST", f"/jobs/{job}/cancel", token=token).status == 202
