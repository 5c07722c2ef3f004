"""The API here, a worker there: all they share is the database and a bucket."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.e2e.user import User, make_user
from tests.pipeline.store.remote.servers import BUCKET, S3, asked_for, s3_server

from .running import Service, eventually, serving
from .test_story import ASKED, NET, digests

CONTENT = b"{a file of somebody's"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with asked_for(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket()
        yield server


@contextmanager
def api(folder: Path, s3: S3, database: Path, prefix: str, *options: object) -> Iterator[Service]:
    environment = {
        **s3.environment,
        "AWS_MAX_ATTEMPTS": "1",
        "DLPIPE_STORE_URL": f"s3://{BUCKET}/{prefix}",
        "DLPIPE_DATABASE": str(database),
    }
    folder.mkdir()
    with serving(make_user(folder), folder / "data", "--workers", 0, *options, **environment) as service:
        yield service


@contextmanager
def worker(folder: Path, like: Service) -> Iterator[User]:
    """On another machine, as far as files go."""
    folder.mkdir()
    user = make_user(folder)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "dlpipe", "worker"],
        cwd=user.folder,
        env=user.environment({**like.environment, "DLPIPE_DATA_DIR": str(folder / "data")}),
        stdin=subprocess.DEVNULL,
    )
    try:
        yield user
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_an_upload_to_one_api_is_there_for_the_other(tmp_path: Path, s3: S3) -> None:
    database = tmp_path / "shared.sqlite"
    with (
        api(tmp_path / "one", s3, database, tmp_path.name) as one,
        api(tmp_path / "other", s3, database, tmp_path.name) as other,
    ):
        assert other.ask("HEAD", f"/uploads/{DIGEST}").status == 404
        assert one.upload(CONTENT) == DIGEST
        there = other.ask("HEAD", f"/uploads/{DIGEST}")
        assert (there.status, there.headers["upload-complete"]) == (204, "?1")
        model = {"files": {"model.onnx": DIGEST}, "entry": "model.onnx"}
        asked = {"model": model, "targets": ["x86-64"]}
        assert other.ask("POST", "/jobs", asked).status == 201
        stranger = other.token("strangers", "read", "submit")
        assert other.ask("HEAD", f"/uploads/{DIGEST}", token=stranger).status == 404
        assert other.ask("POST", "/jobs", asked, token=stranger).status == 422
        assert other.ask("DELETE", f"/uploads/{DIGEST}").status == 409, "the job that waits needs it"
        (job,) = one.ask("GET", "/jobs").json["jobs"]
        one.ask("POST", f"/jobs/{job['id']}/cancel")
        assert s3.puts(tmp_path.name) == [f"teams/1/uploads/{DIGEST[:2]}/{DIGEST}"]
        assert other.ask("DELETE", f"/uploads/{DIGEST}").status == 204
        assert other.ask("DELETE", f"/uploads/{DIGEST}").status == 404
        fresh = {"model": {**model, "files": {"model.onnx": one.upload(b"{another")}}, "targets": ["x86-64"]}
        assert other.ask("POST", "/jobs", fresh).status == 201


def test_a_bucket_that_is_gone_is_said_and_what_came_is_kept(tmp_path: Path) -> None:
    with s3_server() as server:
        environment = server
    with api(tmp_path / "one", environment, tmp_path / "shared.sqlite", "x") as one:
        answer = one.ask("PUT", f"/uploads/{DIGEST}", CONTENT)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert one.ask("GET", "//readyz").status == 200
        assert "the-secret-of-a-test" not in answer.body.decode() + one.log()
        assert [path.read_bytes() for path in one.data.rglob("*.part")] == [CONTENT]


@pytest.mark.slow
def test_the_whole_story_with_nothing_else_between_them(tmp_path: Path, bench: Bench, s3: S3) -> None:
    model = bench.build(NET, weights={"w": [8, 4]}) / "model.onnx"
    prefix = tmp_path.name
    with (
        api(tmp_path / "api", s3, tmp_path / "shared.sqlite", prefix) as service,
        worker(tmp_path / "worker", service),
    ):
        service.ok("submit", model, *ASKED, "--wait", "--out", "out")
        (job,) = service.ask("GET", "/jobs").json["jobs"]
        out = service.user.folder / "out"
        assert json.loads((out / "report.json").read_text())["artifacts"][0]["verdict"] == "passed"
        log = eventually(lambda: service.ask("GET", f"/jobs/{job['id']}/logs").body.decode())
        assert "import" in log
        name = next(iter(digests(out)))
        part = service.ask("GET", f"/jobs/{job['id']}/artifacts/{name}", headers={"Range": "bytes=5-9"})
        assert (part.status, part.body) == (206, (out / name).read_bytes()[5:10])
        sent = [each for each in s3.puts(prefix) if not each.endswith(".log")]  # a log is sent as it grows
        assert sorted(sent) == sorted(set(sent)), "nothing is sent twice"

    # A machine that has never seen any of it computes nothing.
    with (
        api(tmp_path / "third", s3, tmp_path / "another.sqlite", prefix) as fresh,
        worker(tmp_path / "fourth", fresh),
    ):
        fresh.ok("submit", model, *ASKED, "--wait", "--out", "again")
        (again,) = fresh.ask("GET", "/jobs").json["jobs"]
        stages = [each for each in fresh.events(again["id"]) if each["event"] == "StageFinished"]
        assert stages
        assert [each["stage"] for each in stages if each["cache"] != "hit"] == []
        assert digests(fresh.user.folder / "again") == digests(out)
