"""Machines that share a bucket: a backup, made by one that has no file of it, holds all of it, and is restored into
another bucket."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import select

from dlpipe.pipeline.store.remote import Bucket
from dlpipe.service.accounts import Caller, first_administrator
from dlpipe.service.asked import Asked
from dlpipe.service.backup import backup, restore
from dlpipe.service.database import Database, open_database
from dlpipe.service.jobs import new_job
from dlpipe.service.places import Places
from dlpipe.service.queue import Outcome, Queue
from dlpipe.service.tables import Job, Token
from dlpipe.service.uploads import Uploads

CONTENT, WAITS = b"a model of somebody's", b"a model of a job that waits"


def machine(folder: Path, name: str, database: str, bucket: str) -> Places:
    places = Places(folder / name, folder / f"{database}.sqlite", Bucket(f"file://{folder}/{bucket}"))
    places.make()
    return places


def a_job(database: Database, places: Places, content: bytes) -> str:
    """Its name; what it asks for lies in the bucket."""
    digest = hashlib.sha256(content).hexdigest()
    with database.write() as session:
        token = session.scalars(select(Token)).one()
        asked = Asked.model_validate({"model": {"files": {"m.onnx": digest}, "entry": "m.onnx"}, "targets": ["x86-64"]})
        caller = Caller(token.id, token.team_id, "default", "t", frozenset(), None)
        name = new_job(database, session, caller, asked, None).name
    sent = places.root / "sent"
    sent.write_bytes(content)
    shared = places.shared(1)
    assert shared is not None
    shared.send_upload(digest, sent)
    return name


def test_what_lies_in_a_bucket_alone_is_saved_and_restored(tmp_path: Path) -> None:
    worker = machine(tmp_path, "worker", "old", "bucket")
    database = open_database(worker.database)
    database.migrate()
    with database.write() as session:
        first_administrator(session, "x" * 20, 0.0)
    ended = a_job(database, worker, CONTENT)
    lease = (queue := Queue(database)).lease("w")
    assert lease is not None
    out = worker.attempt(ended, 1) / "out"
    out.mkdir(parents=True)
    (out / "manifest.json").write_text('{"files": {}}')
    (worker.attempt(ended, 1) / "log.txt").write_text("it went well\n")
    shared = worker.shared(1)
    assert shared is not None
    shared.send_output(ended, 1, out, worker.cache(1))
    shared.send_log(ended, 1, worker.attempt(ended, 1) / "log.txt")
    queue.finish(lease, Outcome(0, None, written=True))
    a_job(database, worker, WAITS)

    elsewhere = machine(tmp_path, "elsewhere", "old", "bucket")
    assert backup(database, elsewhere, tmp_path / "x.tar") == 4
    database.close()

    fresh = machine(tmp_path, "fresh", "new", "another bucket")
    database = open_database(fresh.database)
    assert restore(database, fresh, tmp_path / "x.tar") == 4
    with database.read() as session:
        assert session.scalars(select(Job.state).order_by(Job.id)).all() == ["succeeded", "queued"]
    database.close()

    other = machine(tmp_path, "other", "new", "another bucket")
    shared = other.shared(1)
    assert shared is not None
    for content in (CONTENT, WAITS):
        path = Uploads(other.uploads(1), shared=shared).bring(hashlib.sha256(content).hexdigest())
        assert path.read_bytes() == content
    shared.fetch_output(ended, 1, tmp_path / "fetched", other.cache(1))
    assert (tmp_path / "fetched" / "manifest.json").read_text() == '{"files": {}}'
    assert shared.read_log(ended, 1, 0, 100) == b"it went well\n"
