"""A worker whose cluster does not answer: its jobs wait, however long that takes, and none is given up."""

from __future__ import annotations

import hashlib
import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from dlpipe.service import worker
from dlpipe.service.accounts import Caller, first_administrator
from dlpipe.service.asked import Asked
from dlpipe.service.database import Database, open_database
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.jobs import new_job
from dlpipe.service.places import Places
from dlpipe.service.queue import MAX_FAULTS, Queue
from dlpipe.service.tables import Job, JobEvent, Team, Token
from dlpipe.service.uploads import Uploads
from tests.conftest import Bench

from .running import eventually

NET = '<ir_version: 8, opset_import: ["" : 17]> net (float[1, 8] x) => (float[1, 8] y) { y = Relu(x) }'


def ask(database: Database, places: Places, model: Path) -> int:
    """A new job's id."""
    with database.write() as session:
        first_administrator(session, "x" * 20, 0.0)
        team, token = session.scalars(select(Team)).one(), session.scalars(select(Token)).one()
        caller = Caller(token.id, team.id, team.name, "t", frozenset(), None)
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        path = Uploads(places.uploads(team.id)).path(digest)
        path.parent.mkdir(parents=True)
        shutil.copyfile(model, path)
        files = {"files": {"model.onnx": digest}, "entry": "model.onnx"}
        asked = Asked.model_validate({"model": files, "targets": ["x86-64"]})
        return new_job(database, session, caller, asked, None).id


@pytest.mark.slow
def test_a_job_waits_for_a_cluster_that_does_not_answer(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(worker, "AWAY_SECONDS", (0.1, 0.1))
    places = Places(tmp_path / "data", tmp_path / "service.sqlite")
    places.make()
    database = open_database(places.database)
    database.migrate()
    job = ask(database, places, bench.build(NET) / "model.onnx")
    working = worker.Worker(places, Queue(database), Farm(database), "ray://127.0.0.1:1")
    thread = threading.Thread(target=working.run)
    thread.start()

    def given_back() -> bool:
        with database.read() as session:
            found = session.scalars(select(JobEvent.data).where(JobEvent.kind == "JobState")).all()
            reasons = [str(each.get("reason")) for each in found]
            assert all("no Ray cluster answers" in each for each in reasons if each != "None"), reasons
            return len([each for each in reasons if each != "None"]) > MAX_FAULTS

    try:
        eventually(given_back)
        with database.read() as session:
            found = session.get_one(Job, job)
            assert (found.faults, found.finished) == (0, None)
    finally:
        working.stop()
        thread.join()
        database.close()
