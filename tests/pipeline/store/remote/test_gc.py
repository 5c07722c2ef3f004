"""Making room in a bucket takes what nobody used, in two steps a day apart, whatever others do to it meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dlpipe.pipeline.store.gc import Limits
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.remote.gc import GRACE_SECONDS, StoppedError, collect
from tests.e2e.user import Finished, make_user
from tests.pipeline.store.making import contents, write
from tests.pipeline.store.remote.machines import DAY, FILES, UNUSED_A_MONTH, Machine


def names(place: str) -> list[str]:
    return [entry.name for entry in Bucket(place).listing("")]


def kinds(place: str) -> list[str]:
    return [name.split("/")[0] for name in names(place)]


def age(folder: Path, days: float) -> None:
    """As if everything below it were older."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_mtime - days * DAY,) * 2)


def test_what_nobody_used_goes_in_two_steps(tmp_path: Path, place: str) -> None:
    made = Machine(tmp_path / "one", Bucket(place)).make(1, FILES)
    before, bucket, now = names(place), Bucket(place), time.time()
    assert collect(bucket, Limits(0, 0.0, GRACE_SECONDS), now).records == 0, "it is new"
    told = collect(bucket, UNUSED_A_MONTH, now + 40 * DAY, dry_run=True)
    assert (told.records, told.trees, told.objects, told.emptied) == (1, 1, 3, 0)
    assert names(place) == before
    assert collect(bucket, UNUSED_A_MONTH, now + 40 * DAY) == told
    assert kinds(place) == ["removed"] * 4
    assert not Machine(tmp_path / "other", Bucket(place)).finds(made, FILES)
    assert collect(bucket, UNUSED_A_MONTH, now + 40.9 * DAY).emptied == 0
    last = collect(bucket, UNUSED_A_MONTH, now + 41.1 * DAY)
    assert (last.records, last.trees, last.objects, last.bytes) == (0, 0, 0, 0)
    assert last.emptied == told.bytes
    assert names(place) == []


def test_what_others_name_stays(tmp_path: Path, place: str) -> None:
    machine, now = Machine(tmp_path / "one", Bucket(place)), time.time()
    kept, goes = machine.make(1, FILES), machine.make(2, {"model": b"another", "shared": b"in each"})
    done = collect(Bucket(place), UNUSED_A_MONTH, now + 40 * DAY, roots=lambda: [str(kept.output)])
    assert (done.records, done.trees, done.objects) == (2, 1, 2)  # the log of both is one object
    assert not Machine(tmp_path / "other", Bucket(place)).finds(goes, {})
    Machine(tmp_path / "third", Bucket(place)).store.export(str(kept.output), tmp_path / "out")
    assert contents(tmp_path / "out") == FILES


def test_the_least_recently_used_go_until_the_rest_fits(tmp_path: Path) -> None:
    place = f"file://{tmp_path}/bucket"
    machine = Machine(tmp_path / "one", Bucket(place))
    stages = []
    for stage in range(4):
        age(tmp_path / "bucket", 2)
        stages.append((machine.make(stage, files := {"model": bytes([stage]) * 1000}), files))
    age(tmp_path / "bucket", 2)
    assert Machine(tmp_path / "user", Bucket(place)).finds(*stages[0])  # which says so
    done = collect(Bucket(place), Limits(2100, None, GRACE_SECONDS), time.time())
    assert (done.records, done.trees, done.objects, done.bytes > 2000) == (2, 2, 2, True)
    other = Machine(tmp_path / "other", Bucket(place))
    assert [other.finds(*each) for each in stages] == [True, False, False, True]
    assert collect(Bucket(place), Limits(2100, None, GRACE_SECONDS), time.time()).records == 0


def test_what_died_and_what_was_damaged_goes_too(tmp_path: Path) -> None:
    place = f"file://{tmp_path}/bucket"
    made = Machine(tmp_path / "one", Bucket(place)).make(1, FILES)
    left = write(tmp_path / "bucket", {"objects/aa/bb.0123.part": b"x", "damaged/object-y": b"y", "records/zz": b"z"})
    age(tmp_path / "bucket", 2)
    done = collect(Bucket(place), UNUSED_A_MONTH, time.time())
    assert (done.records, done.objects, done.emptied) == (0, 0, 2)
    assert (left / "records/zz").is_file(), "it is not ours"
    assert Machine(tmp_path / "other", Bucket(place)).finds(made, FILES)


def test_the_command(tmp_path: Path) -> None:
    place, user = f"file://{tmp_path}/bucket", make_user(tmp_path)
    made = Machine(tmp_path / "one", Bucket(place)).make(1, FILES)
    age(tmp_path / "bucket", 40)

    def gc(*options: object) -> Finished:
        return user.dlpipe("cache", "gc", "--shared", *options, env={"DLPIPE_STORE_URL": place})

    assert gc().code == 2
    told = gc("--max-age-days", 30, "--dry-run", "--json").json
    assert told == {"records": 1, "trees": 1, "objects": 3, "bytes": told["bytes"], "emptied": 0}
    assert gc("--max-age-days", 30).out.startswith("dropped 1 record, moved aside 3 objects of ")
    assert not Machine(tmp_path / "other", Bucket(place)).finds(made, FILES)


def test_what_is_over_is_stopped(tmp_path: Path) -> None:
    bucket = Bucket(f"file://{tmp_path}/bucket")
    Machine(tmp_path / "one", bucket).make(1, FILES)
    before = bucket.listing("")
    with pytest.raises(StoppedError):
        collect(bucket, UNUSED_A_MONTH, time.time() + 40 * DAY, over=lambda: True)
    assert bucket.listing("") == before
