"""What ends a job that takes more than it may, and that this is the job's own error."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dlpipe.service.database import open_database
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.places import Places
from dlpipe.service.queue import Lease, Outcome
from dlpipe.service.running import attempt


def run(folder: Path, memory_limit: int | None, **asked: object) -> Outcome:
    """An attempt at a job of a model that there is not: its process starts, looks for it, and ends by itself."""
    places = Places(folder, folder / "none.sqlite")
    lease = Lease(1, "job-0123456789abcdef", 1, 1, "x", 600.0, memory_limit, {"targets": ["x86-64"], **asked})
    database = open_database(folder / "none.sqlite")
    database.migrate()
    farm = Farm(database, lease_seconds=30)
    ended = attempt(places, farm, lease, order=lambda: "go on", on_events=lambda _: None)
    database.close()
    assert isinstance(ended, Outcome)
    return ended


def test_a_job_that_uses_more_memory_than_it_may(tmp_path: Path) -> None:
    ended = run(tmp_path, 1 << 20, zoo="there-is-none")
    assert ended.error is not None
    assert (ended.exit_code, ended.error["error"], ended.written) == (4, "MemoryLimit", False)
    assert "memory_limit" in ended.error["hint"]


def test_a_job_within_its_limits_ends_by_itself(tmp_path: Path) -> None:
    ended = run(tmp_path, 1 << 40, zoo="there-is-none")
    assert ended.error is not None
    assert (ended.exit_code, ended.error["error"]) == (2, "UserError")


def test_what_today_would_not_be_accepted_is_told_and_not_tried_again(tmp_path: Path) -> None:
    """A fault of the machinery would be."""
    ended = run(tmp_path, None, zoo="there-is-none", gone_since=True)
    assert ended.error is not None
    assert (ended.exit_code, "submit it again" in ended.error["hint"]) == (2, True)


def test_what_today_would_not_be_accepted_lays_no_file_anywhere(tmp_path: Path) -> None:
    """The rows of a database that somebody else has made may say anything (`dlpipe service restore`)."""
    digest = hashlib.sha256(b"a model").hexdigest()
    upload = tmp_path / "uploads" / "1" / digest[:2] / digest
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"a model")
    ended = run(tmp_path, None, model={"files": {"../../../../planted": digest}, "entry": "."})
    assert (ended.exit_code, (tmp_path / "planted").exists()) == (2, False)
