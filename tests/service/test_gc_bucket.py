"""What stages made goes from the bucket once nobody uses it; what a job left stays as long as the job."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path

from sqlalchemy import update

from dlpipe.pipeline.store import Store
from dlpipe.service.accounts import first_administrator
from dlpipe.service.audit import Actor
from dlpipe.service.database import open_database
from dlpipe.service.gc import DAY, collect
from dlpipe.service.queue import Outcome, Queue
from dlpipe.service.removing import remove_job
from dlpipe.service.tables import Job
from dlpipe.service.uploads import Uploads
from tests.pipeline.store.making import contents, record, write

from .test_backup_bucket import a_job, machine

OF_JOB, FORGOTTEN, WANTED = (sha256(content).hexdigest() for content in (b"a model", b"forgotten", b"wanted"))
OUT = {"manifest.json": b'{"files": {}}'}


def test_what_a_job_left_stays_as_long_as_the_job(tmp_path: Path) -> None:
    places = machine(tmp_path, "worker", "x", "bucket")
    database = open_database(places.database)
    database.migrate()
    with database.write() as session:
        first_administrator(session, "x" * 20, 0.0)
    job = a_job(database, places, b"a model")
    lease = (queue := Queue(database)).lease("w")
    assert lease is not None
    shared = places.shared(1)
    assert shared is not None
    store = Store(places.cache(1) / "store", bucket=shared.store)
    stage = store.put(record(store.ingest(write(tmp_path / "stage", {"model": b"weights"})), stage=1))
    out = write(places.attempt(job, 1) / "out", OUT)
    shared.send_output(job, 1, out, places.cache(1))
    queue.finish(lease, Outcome(0, None, written=True))
    with database.write() as session:  # long after the stage was of any use
        session.execute(update(Job).values(finished=time.time()))
    for name in (FORGOTTEN, WANTED):
        shared.send_upload(name, write(tmp_path / "sent", {"x": b"x"}) / "x")
    for path in (path for path in (tmp_path / "bucket/teams/1").rglob("*") if path.is_file()):
        os.utime(path, (time.time() - 40 * DAY,) * 2)

    received = Uploads(places.uploads(1), shared=shared).received(WANTED)
    assert received is not None
    would = collect(database, places, 30, dry_run=True).bucket
    assert would is not None
    assert (would.records, would.trees, would.objects) == (1, 1, 1)
    found = collect(database, places, 30, rest_seconds=DAY)
    assert found.bucket == would
    assert (found.jobs, found.uploads) == ([], [f"1/{FORGOTTEN}"])
    assert shared.upload_size(FORGOTTEN) is None
    assert shared.upload_size(WANTED) == 1, "somebody has just looked for it"
    assert shared.upload_size(OF_JOB) == len(b"a model")
    assert collect(database, places, 30, rest_seconds=DAY).bucket is None, "somebody has just been through it"
    fresh = machine(tmp_path, "fresh", "x", "bucket")
    assert Store(fresh.cache(1) / "store", bucket=shared.store).get(stage.key) is None
    shared.fetch_output(job, 1, tmp_path / "fetched", fresh.cache(1))
    assert contents(tmp_path / "fetched") == OUT

    remove_job(database, places, 1, job, Actor.of_command())
    last = collect(database, places, 30)
    assert last.uploads == [f"1/{OF_JOB}"]
    assert last.bucket is not None
    assert (last.bucket.records, last.bucket.trees, last.bucket.objects) == (0, 1, 1)
    database.close()
