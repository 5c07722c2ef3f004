"""What a backup holds is there again elsewhere, on either database, and a job that ran goes on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from dlpipe.errors import UserError
from dlpipe.service.backup import backup, restore
from dlpipe.service.database import open_database
from dlpipe.service.places import Places
from dlpipe.service.queue import Outcome, Queue
from dlpipe.service.tables import Job
from tests.e2e.user import make_user

from .running import ADMINISTRATOR, Service, serving

KINDS = ("sqlite", "postgresql")


@pytest.mark.parametrize("before", KINDS)
@pytest.mark.parametrize("after", KINDS)
def test_a_job_that_ran_goes_on_where_the_backup_is_restored(
    request: pytest.FixtureRequest, tmp_path: Path, before: str, after: str
) -> None:
    first, place = (
        {"DLPIPE_DATABASE": request.getfixturevalue("postgresql").new_database()} if kind == "postgresql" else {}
        for kind in (before, after)
    )
    with serving(make_user(tmp_path / "old"), tmp_path / "data", "--workers", 0, **first) as old:
        ended = old.submit(label="ended").json["id"]
        running = old.submit(label="running").json["id"]
        database = open_database(first.get("DLPIPE_DATABASE", tmp_path / "data" / "service.sqlite"))
        queue = Queue(database)
        lease = queue.lease("w")
        assert lease is not None
        out = tmp_path / "data" / "jobs" / ended / "1" / "out"
        out.mkdir(parents=True)
        (out / "manifest.json").write_text('{"files": {}}')
        queue.finish(lease, Outcome(0, None, written=True))
        assert queue.lease("w") is not None
        again = tmp_path / "data" / "jobs" / ended / "2" / "log.txt"  # it was asked for again just after the snapshot
        again.parent.mkdir()
        again.write_text("half a li")
        unfinished = tmp_path / "data" / "jobs" / running / "1" / "log.txt"
        unfinished.parent.mkdir(parents=True)
        unfinished.write_text("half a li")
        database.close()
        saved = old.user.dlpipe("service", "backup", tmp_path / "x.tar", env={**old._ours(), **first})
        assert saved.code == 0, saved.err
        uploads = {each.name for each in (tmp_path / "data" / "uploads").rglob("*") if each.is_file()}
        token = old.token("others", "read")
    new = Service(make_user(tmp_path / "new"), tmp_path / "new data", ("--workers", 0), environment=place)
    environment = {**new._ours(), **place}
    killed = tmp_path / "new data" / "restoring" / "uploads" / "half"  # what one that was killed has left
    killed.parent.mkdir(parents=True)
    killed.touch()
    restored = new.user.dlpipe("service", "restore", tmp_path / "x.tar", env=environment)
    assert restored.code == 0, restored.err
    assert not (tmp_path / "new data" / "restoring").exists()
    assert [each.name for each in (tmp_path / "new data" / "jobs" / ended).iterdir()] == ["1"]
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


class Forged:
    """A backup that somebody else made: its digests are right."""

    def __init__(self) -> None:
        self.about: Any = {"format": 1, "revision": "0004", "tables": ["teams", "jobs"]}
        self.team: dict[str, Any] = {"id": 1, "name": "theirs", "created": 1.0, "served": 0}
        self.jobs: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {"uploads/1/ab/abc": b"a model"}
        self.links: dict[str, str] = {}
        self.mode = "w"

    def write(self, path: Path) -> Path:
        lines = {"teams": [self.team], "jobs": self.jobs}
        tables = {f"tables/{name}.jsonl": "\n".join(map(json.dumps, rows)).encode() for name, rows in lines.items()}
        files = {**tables, "about.json": json.dumps(self.about).encode(), **self.files}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        digests |= {name: hashlib.sha256(files[to]).hexdigest() for name, to in self.links.items()}
        with tarfile.open(path, self.mode) as archive:
            for name, content in {**files, "digests.json": json.dumps(digests).encode()}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            for name, to in self.links.items():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, os.path.relpath(to, Path(name).parent)
                archive.addfile(entry)
        return path


def test_one_that_is_right_can_be_forged(tmp_path: Path) -> None:
    """So that what is refused below is refused for its own sake."""
    assert put_back(Forged().write(tmp_path / "x.tar"), tmp_path) is None
    assert (tmp_path / "data" / "uploads" / "1" / "ab" / "abc").read_bytes() == b"a model"


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"uploads/../../outside": b"x"}},
        {"files": {"jobs//outside": b"x"}},
        {"files": {"uploads/1/a": b"x", "uploads/1/a/b": b"x"}},
        {"files": {"secret": b"x"}, "links": {"jobs/job-0123456789abcdef/1/out/report.json": "secret"}},
        {"jobs": [{"id": 1, "name": "../../outside", "team_id": 1}]},
        {"jobs": [{"id": 1, "name": "job-0123456789abcdef", "team_id": 1, "no_such_column": 1}]},
        {"jobs": [{"id": 1, "name": "job-0123456789abcdef"}]},
        {"jobs": [[]]},
        {"about": {"format": 1, "revision": "9999", "tables": []}},
        {"about": {"format": 1, "revision": "0004", "tables": ["sqlite_master"]}},
        {"about": []},
        {"team": {"id": {}}},
        {"mode": "w:gz"},
    ],
    ids=str,
)
def test_what_somebody_forged_is_not_restored(tmp_path: Path, change: dict[str, Any]) -> None:
    forged = Forged()
    for name, value in change.items():
        setattr(forged, name, value)
    refused = put_back(forged.write(tmp_path / "x.tar"), tmp_path)
    assert isinstance(refused, UserError)
    left = {each.name for each in (tmp_path / "data").iterdir()} - {"service.sqlite", "service.sqlite.lock"}
    assert (left, (tmp_path / "outside").exists()) == (set(), False)


def put_back(file: Path, folder: Path) -> UserError | None:
    places = Places(folder / "data", folder / "data" / "service.sqlite")
    places.root.mkdir()
    database = open_database(places.database)
    try:
        restore(database, places, file)
    except UserError as error:
        return error
    finally:
        database.close()
    return None


def test_nobody_else_may_read_a_backup_and_one_that_was_killed_is_in_nobodys_way(idle: Service, tmp_path: Path) -> None:
    places = Places(idle.data, idle.data / "service.sqlite")
    database = open_database(places.database)
    (tmp_path / "x.tar.part").write_text("of an earlier one that was killed")
    backup(database, places, tmp_path / "x.tar")
    database.close()
    assert (tmp_path / "x.tar").stat().st_mode & 0o777 == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {"x.tar", "x.tar.part"}
