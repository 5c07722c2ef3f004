"""What a backup holds is there again elsewhere, on either database, and a job that ran goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from dlpipe.service.database import open_database
from dlpipe.service.queue import Outcome, Queue
from dlpipe.service.tables import Job
from tests.e2e.user import make_user

from .running import ADMINISTRATOR, Service, serving


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_job_that_ran_goes_on_where_the_backup_is_restored(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    place = {"DLPIPE_DATABASE": request.getfixturevalue("postgresql").new_database()} if kind == "postgresql" else {}
    with serving(make_user(tmp_path / "old"), tmp_path / "data", "--workers", 0) as old:
        ended = old.submit(label="ended").json["id"]
        running = old.submit(label="running").json["id"]
        database = open_database(tmp_path / "data" / "service.sqlite")
        queue = Queue(database)
        lease = queue.lease("w")
        assert lease is not None
        out = tmp_path / "data" / "jobs" / ended / "1" / "out"
        out.mkdir(parents=True)
        (out / "manifest.json").write_text('{"files": {}}')
        queue.finish(lease, Outcome(0, None, written=True))
        assert queue.lease("w") is not None
        unfinished = tmp_path / "data" / "jobs" / running / "1" / "log.txt"
        unfinished.parent.mkdir(parents=True)
        unfinished.write_text("half a li")
        database.close()
        old.ok("service", "backup", tmp_path / "x.tar")
        uploads = {each.name for each in (tmp_path / "data" / "uploads").rglob("*") if each.is_file()}
        token = old.token("others", "read")
    new = Service(make_user(tmp_path / "new"), tmp_path / "new data", ("--workers", 0), environment=place)
    environment = {**new._ours(), **place}
    restored = new.user.dlpipe("service", "restore", tmp_path / "x.tar", env=environment)
    assert restored.code == 0, restored.err
    twice = new.user.dlpipe("service", "restore", tmp_path / "x.tar", env=environment)
    assert (twice.code, "already" in twice.err) == (2, True)
    assert {each.name for each in (tmp_path / "new data" / "uploads").rglob("*") if each.is_file()} == uploads
    new.start()
    try:
        assert {each["id"]: each["state"] for each in new.ask("GET", "/jobs").json["jobs"]} == {
            ended: "succeeded",
            running: "running",
        }
        assert new.ask("GET", f"/jobs/{ended}/artifacts").json == {"files": {}}
        assert new.ask("GET", f"/jobs/{running}/logs").body == b""
        assert new.ask("GET", "/whoami", token=token).status == 401, "made after the backup"
        database = open_database(place.get("DLPIPE_DATABASE", tmp_path / "new data" / "service.sqlite"))
        with database.write() as session:  # its lease has run out, and its back-off is over
            session.execute(update(Job).where(Job.name == running).values(lease_until=1.0))
        queue = Queue(database)
        assert queue.lease("heir") is None
        with database.write() as session:
            session.execute(update(Job).where(Job.name == running).values(not_before=1.0))
        heir = queue.lease("heir")
        assert heir is not None
        assert (heir.name, heir.attempt) == (running, 2)
        queue.finish(heir, Outcome(0))
        fresh = new.submit(token=ADMINISTRATOR, label="fresh").json["id"]
        with database.read() as session:
            rows = session.execute(select(Job.name, Job.error).order_by(Job.id)).all()
        assert rows == [(ended, None), (running, None), (fresh, None)]
        database.close()
    finally:
        new.stop()


def test_a_damaged_backup_is_not_restored(idle: Service, tmp_path: Path) -> None:
    idle.upload(b"something whose bytes are looked for below")
    idle.ok("service", "backup", tmp_path / "x.tar")
    again = idle.dlpipe("service", "backup", tmp_path / "x.tar")
    assert (again.code, "there already" in again.err) == (2, True)
    content = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(content.replace(b"whose bytes are", b"whose bytes ate"))
    environment = {"DLPIPE_DATA_DIR": str(tmp_path / "new")}
    refused = idle.user.dlpipe("service", "restore", tmp_path / "x.tar", env=environment)
    assert (refused.code, "damaged" in refused.err) == (2, True)
    assert not (tmp_path / "new" / "uploads").exists()
