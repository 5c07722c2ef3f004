"""The migrations make just the tables that the code speaks of."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dlpipe.service.database import open_database
from dlpipe.service.tables import Base
from tests.e2e.user import make_user
from tests.pipeline.postgresql_server import Server

from .running import NO_MODEL, serving


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


def test_the_service_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    """What it asks of the database in other words than the queue's tests do."""
    place = {"DLPIPE_DATABASE": postgresql.new_database()}
    with serving(make_user(tmp_path), tmp_path / "data", "--workers", 0, **place) as service:
        asked = {"model": {"files": {"m.onnx": service.upload(NO_MODEL)}, "entry": "m.onnx"}, "targets": ["x86-64"]}
        answers: list[tuple[int, str]] = []

        def submit() -> None:
            answer = service.ask("POST", "/jobs", asked, headers={"Idempotency-Key": "one"})
            answers.append((answer.status, answer.json["id"]))

        threads = [threading.Thread(target=submit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(status for status, _ in answers) == [200] * 7 + [201]
        (job,) = {name for _, name in answers}
        assert [each["id"] for each in service.ask("GET", "/jobs?q=M.ONNX&state=queued").json["jobs"]] == [job]
        assert service.ask("POST", "/jobs", {**asked, "label": "a\0b"}).status == 422, "it holds no such text"
        assert service.ask("GET", "/jobs?q=%00").status == 422
        assert service.ask("POST", f"/jobs/{job}/cancel").json["state"] == "cancelled"
        assert [each["state"] for each in service.events(job)] == ["queued", "cancelled"]
        assert service.ask("POST", f"/jobs/{job}/retry").json["state"] == "queued"
        assert 'dlpipe_jobs{state="queued"} 1' in service.ask("GET", "//metrics").body.decode()
        assert service.ask("GET", "/whoami", token=service.token("others", "read")).json["team"] == "others"
        assert not list(service.data.glob("*.sqlite*"))
