"""Many write to one SQLite file: nothing is lost, and what could not be flushed is not called durable."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from dlpipe.service.accounts import first_administrator, make_team
from dlpipe.service.database import open_database
from dlpipe.service.tables import Team
from dlpipe.service.writers import Journal

from .running import Service

_WRITER = """
import sys
from pathlib import Path
from sqlalchemy import update
from dlpipe.service.database import open_database
from dlpipe.service.tables import Team
database = open_database(Path(sys.argv[1]))
for _ in range(50):
    with database.write() as session:
        session.execute(update(Team).values(served=Team.served + 1))
"""


def test_threads_and_processes_write_one_after_the_other(tmp_path: Path) -> None:
    database = open_database(tmp_path / "x.sqlite")
    database.migrate()
    with database.write() as session:
        make_team(session, "a", 0.0)
    others = [subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path / "x.sqlite"]) for _ in range(2)]

    def write() -> None:
        for _ in range(25):
            with database.write(durable=False) as session:
                session.scalars(select(Team)).one().served += 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.wait(120) for each in others] == [0, 0]
    with database.read() as session:
        assert session.scalars(select(Team.served)).one() == 200
    database.close()


def test_what_was_not_flushed_is_an_error_of_everybody_who_waited(tmp_path: Path) -> None:
    database = open_database(tmp_path / "x.sqlite")
    database.migrate()
    with database.write() as session:
        first_administrator(session, "x" * 20, 0.0)
    database.close()
    journal = Journal(tmp_path / "x.sqlite")
    journal.flush()  # all connections are closed: there is no journal, and nothing to wait for
    loop = tmp_path / "x.sqlite-wal"
    loop.symlink_to(loop)
    told: list[str] = []

    def flush() -> None:
        try:
            journal.flush()
        except OSError as error:
            told.append(type(error).__name__)

    threads = [threading.Thread(target=flush) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["OSError"] * 8
    loop.unlink()
    journal.flush()


@pytest.mark.parametrize("times", [1, 3])
def test_a_token_that_was_just_used_is_refused_once_it_is_revoked(idle: Service, times: int) -> None:
    token = idle.token("revoking", "read")
    assert [idle.ask("GET", "/whoami", token=token).status for _ in range(times)] == [200] * times
    newest = max(each["id"] for each in idle.ask("GET", "/tokens").json)
    assert idle.ask("DELETE", f"/tokens/{newest}").status == 204
    assert idle.ask("GET", "/whoami", token=token).status == 401
