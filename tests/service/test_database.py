"""The migrations make just the tables that the code speaks of."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dlpipe.service.database import open_database
from dlpipe.service.tables import Base


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_migrations_lead_to_these_tables(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "x.sqlite" if kind == "sqlite" else request.getfixturevalue("postgresql").new_database()
    faults: list[Exception] = []

    def migrate() -> None:
        try:
            database = open_database(place)
            database.migrate()
            database.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            faults.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(3)]  # a server and its workers start at once
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    database = open_database(place)
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert database.answers()
    database.close()
