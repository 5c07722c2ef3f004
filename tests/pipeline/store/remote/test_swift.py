"""A real object store: OpenStack Swift, through its S3 front. Everything else of this folder runs against it too where
DLPIPE_TEST_S3=swift asks for that; this is what every run of the tests looks at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from dlpipe.errors import StoreUnreachable
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.remote.bucket import TooLargeError
from dlpipe.pipeline.store.remote.gc import collect
from tests.pipeline.store.making import contents, record, write
from tests.pipeline.store.remote.machines import DAY, FILES, UNUSED_A_MONTH, Machine
from tests.pipeline.store.remote.servers import BUCKET, S3, swift_server


@pytest.fixture(scope="module")
def _swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with swift_server(tmp_path_factory.mktemp("swift")) as server:
        server.make_bucket()
        yield server


@pytest.fixture
def swift(_swift: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    for name, value in _swift.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # of a process that has seen another server
    return _swift


def test_a_stage_of_one_machine_is_a_hit_on_the_other(tmp_path: Path, swift: S3) -> None:
    place = Bucket(f"s3://{BUCKET}/{tmp_path.name}")
    damage: list[object] = []
    one, other = (Store(tmp_path / name, bucket=place, on_damage=damage.append) for name in ("one", "other"))
    made = one.put(record(one.ingest(write(tmp_path / "in", FILES)), 1, one.put_blob(b"the log"), stage=1))
    assert [name.split("/")[0] for name in swift.puts(tmp_path.name)] == [*["objects"] * 3, "trees", "records"]
    # Without having looked, as one that comes at the same moment: a conditional put is refused.
    theirs = record(other.ingest(write(tmp_path / "else", {"model.onnx": b"of another order"})), 1, stage=1)
    name = f"records/{made.key[:2]}/{made.key[2:]}.json"
    assert not place.create(name, theirs.dump())
    assert other.put(theirs) == made
    assert made.output is not None
    other.export(made.output, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert damage == []


def test_what_a_bucket_does(tmp_path: Path, swift: S3) -> None:
    del swift
    place = Bucket(f"s3://{BUCKET}/{tmp_path.name}")
    path = tmp_path / "one"
    path.write_bytes(bytes(range(256)) * (1 << 12))
    place.send("one", path)
    assert place.size("one") == path.stat().st_size
    assert place.read_part("one", (1 << 19) + 3, 5) == bytes(range(3, 8))
    with pytest.raises(TooLargeError):
        place.fetch("one", tmp_path / "limited", 1000)
    place.move("one", "two")
    place.fetch("two", tmp_path / "fetched", 1 << 20)
    assert (tmp_path / "fetched").read_bytes() == path.read_bytes()
    assert (place.has("one"), place.remove("two"), place.remove("two")) == (False, True, False)
    with pytest.raises(FileNotFoundError):
        place.fetch("one", tmp_path / "nothing", 1000)
    assert (place.create("log", b"first"), place.create("log", b"second")) == (True, False)
    place.write("log", b"longer than before")
    assert place.read_part("log", 0, 100) == b"longer than before"


def test_what_gc_took_away_is_found_until_another_day(tmp_path: Path, swift: S3) -> None:
    del swift
    place, now = Bucket(f"s3://{BUCKET}/{tmp_path.name}"), time.time()
    one, other = Machine(tmp_path / "one", place), Machine(tmp_path / "other", place)
    made = one.make(1, FILES)
    done = collect(place, UNUSED_A_MONTH, now + 40 * DAY)
    assert (done.records, done.trees, done.objects) == (1, 1, 3)
    assert {entry.name.split("/")[0] for entry in place.listing("")} == {"removed"}
    assert not other.finds(made, FILES)
    other.store.export(str(made.output), tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert collect(place, UNUSED_A_MONTH, now + 80 * DAY).emptied == done.bytes
    assert collect(place, UNUSED_A_MONTH, now + 90 * DAY).emptied > 0
    assert place.listing("") == []


def test_a_wrong_secret_is_refused(tmp_path: Path, swift: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    del swift
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-of-a-test")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreUnreachable, match="does not answer as it should") as caught:
        Bucket(f"s3://{BUCKET}/{tmp_path.name}").write("x", b"x")
    assert "another-secret-of-a-test" not in str(caught.value)
