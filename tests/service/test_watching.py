"""However many follow a job, the database is asked for news once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from dlpipe.service import watching
from dlpipe.service.accounts import caller, first_administrator
from dlpipe.service.asked import Asked
from dlpipe.service.database import Database, open_database
from dlpipe.service.jobs import new_job
from dlpipe.service.queue import Queue
from dlpipe.service.tables import Job
from dlpipe.service.watching import Stand, Watch

SECRET = "a-secret-of-an-administrator"


class Asking:
    """A database that counts how often it is asked, and may be away."""

    def __init__(self, database: Database) -> None:
        self._database, self.times, self.is_away = database, 0, False

    @contextmanager
    def read(self) -> Iterator[Session]:
        self.times += 1
        if self.is_away:
            raise OperationalError("SELECT", {}, Exception("away"))
        with self._database.read() as session:
            yield session


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.02)
    made = open_database(tmp_path / "x.sqlite")
    made.migrate()
    with made.write() as session:
        first_administrator(session, SECRET, 1.0)
    yield made
    made.close()


def job(database: Database) -> int:
    asked = Asked.model_validate({"zoo": "x", "targets": ["x86-64"]})
    with database.write() as session:
        who = caller(session, SECRET, 2.0)
        assert who is not None
        return new_job(database, session, who, asked, None).id


def test_many_who_follow_cost_one_question(database: Database) -> None:
    asking: Any = Asking(database)
    watch, mine, other = Watch(asking), job(database), job(database)

    async def until(number: int, wanted: Stand) -> None:
        with watch.follow(number):
            while await watch.look(number) != wanted:
                pass

    async def story() -> None:
        many = [asyncio.create_task(until(mine, Stand(3, ended=True))) for _ in range(100)]
        await until(other, Stand(2, ended=False))
        before, looks = asking.times, 10
        with watch.follow(other):
            for _ in range(looks):
                assert await watch.look(other) == Stand(2, ended=False)
        assert asking.times - before <= looks + 1
        await asyncio.to_thread(cancel)
        await asyncio.gather(*many)
        await asyncio.sleep(0.1)
        ended = asking.times
        await asyncio.sleep(0.1)
        assert asking.times == ended, "nobody follows anything any more"
        await until(mine, Stand(3, ended=True))

    def cancel() -> None:
        with database.write() as session:
            Queue(database).cancel(session, session.get_one(Job, mine))

    asyncio.run(story())


def test_a_database_that_is_away_is_told_to_who_follows(database: Database) -> None:
    asking: Any = Asking(database)
    watch, mine = Watch(asking), job(database)

    async def story() -> None:
        with watch.follow(mine):
            assert await watch.look(mine) == Stand(1, ended=False)
            asking.is_away = True
            with pytest.raises(OperationalError):
                await watch.look(mine)
            asking.is_away = False
            assert await watch.look(mine) == Stand(1, ended=False)
        with watch.follow(99):
            while (gone := await watch.look(99)) is None:
                pass
            assert gone == Stand(0, ended=True)

    asyncio.run(story())
