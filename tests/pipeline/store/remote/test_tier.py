"""Two machines, each with a store of its own, and a bucket between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
import s3fs

from dlpipe.errors import StoreUnreachable, UserError
from dlpipe.pipeline.store import Lost, Problem, Record, Store
from dlpipe.pipeline.store.remote import Bucket
from tests.pipeline.store.making import FILES, contents, objects, overwrite, record, write
from tests.pipeline.store.remote.servers import BUCKET, S3, s3_server


class Machine:
    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.damage: list[Problem] = []
        self.trouble: list[str] = []
        self.store = Store(root, bucket=Bucket(url), on_damage=self.damage.append, on_trouble=self.trouble.append)

    def make(self, folder: Path, **parts: object) -> Record:
        """What the pipeline does on a miss."""
        tree = self.store.ingest(folder)
        return self.store.put(record(tree, {"a": 1}, self.store.put_blob(b"the log"), **parts))

    def out(self, digest: str | None, folder: Path) -> dict[str, bytes]:
        assert digest is not None
        self.store.export(digest, folder)
        return contents(folder)


@pytest.fixture
def one(tmp_path: Path, place: str) -> Machine:
    return Machine(tmp_path / "one", place)


@pytest.fixture
def other(tmp_path: Path, place: str) -> Machine:
    return Machine(tmp_path / "other", place)


@pytest.fixture
def made(tmp_path: Path, one: Machine) -> Record:
    return one.make(write(tmp_path / "in", FILES), stage=1)


def names(place: str) -> list[str]:
    """Of everything in the bucket, below the prefix."""
    files, root = fsspec.core.url_to_fs(place)
    return sorted(name.removeprefix(root + "/") for name in files.find(root))


def put(place: str, name: str, content: bytes) -> None:
    files, root = fsspec.core.url_to_fs(place)
    files.pipe_file(f"{root}/{name}", content)


def named(place: str, kind: str) -> list[str]:
    return [name for name in names(place) if name.startswith(kind + "/")]


def test_what_one_machine_made_is_a_hit_on_the_other(
    tmp_path: Path, one: Machine, other: Machine, made: Record
) -> None:
    assert other.store.get(made.key) == made
    assert other.out(made.output, tmp_path / "out") == FILES
    assert made.log is not None
    assert other.store.blob(made.log) == b"the log"
    assert other.store.verify() == []
    assert one.damage == other.damage == []
    assert one.trouble == other.trouble == []


def test_a_tree_and_a_log_are_fetched_by_digest_alone(tmp_path: Path, other: Machine, made: Record) -> None:
    assert other.out(made.output, tmp_path / "out") == FILES
    assert made.log is not None
    assert other.store.blob(made.log) == b"the log"
    assert other.store.get("0" * 64) is None
    with pytest.raises(Lost):
        other.store.tree("0" * 64)


def test_an_input_without_a_record_is_shared_when_asked(tmp_path: Path, one: Machine, other: Machine) -> None:
    tree = one.store.ingest(write(tmp_path / "in", FILES))
    with pytest.raises(Lost):
        other.store.tree(tree.digest)
    one.store.share(tree.digest)
    other.store.checkout(tree.digest, tmp_path / "given", link=True)
    assert contents(tmp_path / "given") == FILES
    with pytest.raises(Lost):
        one.store.share("0" * 64)


def test_what_the_local_store_lost_is_fetched_again(tmp_path: Path, one: Machine, made: Record) -> None:
    overwrite(objects(one.root)[0], b"damaged")
    objects(one.root)[1].unlink()
    assert one.store.get(made.key) == made
    assert one.out(made.output, tmp_path / "out") == FILES


def test_the_first_record_of_a_key_is_everybodys(tmp_path: Path, one: Machine, other: Machine, made: Record) -> None:
    theirs = other.make(write(tmp_path / "else", {"model.onnx": b"of another thread order"}), stage=1)
    assert theirs == made
    assert other.out(theirs.output, tmp_path / "out") == FILES
    assert one.store.get(made.key) == other.store.get(made.key) == made


def test_what_was_made_before_there_was_a_bucket_is_offered(
    tmp_path: Path, place: str, one: Machine, other: Machine
) -> None:
    alone = Store(one.root)
    kept = alone.put(record(alone.ingest(write(tmp_path / "in", FILES)), stage=1))
    assert other.store.get(kept.key) is None
    assert one.store.get(kept.key) == kept
    assert other.store.get(kept.key) == kept


DAMAGES: list[Callable[[bytes], bytes]] = [lambda c: c[:-1], lambda c: c + b"!", lambda _: b"", lambda c: b"?" + c[1:]]


@pytest.mark.parametrize("kind", ["objects", "trees", "records"])
@pytest.mark.parametrize("damage", DAMAGES, ids=["cut", "lengthened", "emptied", "changed"])
def test_what_was_damaged_in_the_bucket_is_set_aside_and_made_again(
    tmp_path: Path, place: str, other: Machine, made: Record, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    files, root = fsspec.core.url_to_fs(place)
    whole = {name: files.cat_file(f"{root}/{name}") for name in named(place, kind)}
    name = max(whole, key=lambda each: len(whole[each]))
    put(place, name, damage(whole[name]))
    assert other.store.get(made.key) is None
    assert all(problem.reason.startswith("in the shared store: ") for problem in other.damage)
    assert {f"{problem.kind}s" for problem in other.damage} >= {kind, "records"}
    assert len(named(place, "damaged")) == len(other.damage)
    assert other.make(tmp_path / "in", stage=1) == made
    third = Machine(tmp_path / "third", place)
    assert third.store.get(made.key) == made
    assert third.out(made.output, tmp_path / "out") == FILES
    assert third.damage == []


def test_what_a_record_names_is_missing(tmp_path: Path, place: str, other: Machine, made: Record) -> None:
    files, root = fsspec.core.url_to_fs(place)
    files.rm_file(f"{root}/{named(place, 'objects')[0]}")
    assert other.store.get(made.key) is None
    assert other.make(tmp_path / "in", stage=1) == made
    assert Machine(tmp_path / "third", place).store.get(made.key) == made


def test_nothing_is_sent_twice(tmp_path: Path, s3: S3) -> None:
    prefix = tmp_path.name
    one, other = (Machine(tmp_path / name, f"s3://{BUCKET}/{prefix}") for name in ("one", "other"))
    made = one.make(write(tmp_path / "in", FILES), stage=1)
    first = s3.puts(prefix)
    assert len(first) == len(set(first)) == 3 + 1 + 1 + 1  # files and a log, a tree, a record
    assert first[-1].startswith("records/")
    assert first[-2].startswith("trees/")
    assert other.store.get(made.key) == made
    other.make(tmp_path / "in", stage=2)
    assert [name.split("/")[0] for name in s3.puts(prefix)[len(first) :]] == ["used", "records"]
    asked = len(s3.asked)
    assert Machine(tmp_path / "one", f"s3://{BUCKET}/{prefix}").store.get(made.key) == made
    assert len(s3.asked) == asked  # the journal knows that the record is there


def test_a_store_that_is_gone_has_nothing_and_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as dead:
        for name, value in dead.environment.items():
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()  # of a process that has seen another server
    machine = Machine(tmp_path / "one", f"s3://{BUCKET}/{tmp_path.name}")
    assert machine.store.get("0" * 64) is None
    assert machine.store.get("1" * 64) is None
    assert len(machine.trouble) == 1
    with pytest.raises(StoreUnreachable, match="does not answer as it should") as caught:
        machine.make(write(tmp_path / "in", FILES), stage=1)
    assert "the-secret-of-a-test" not in f"{caught.value} {caught.value.hint}"
    alone = Store(machine.root)
    assert [each.parts for each in alone.records()] == [{"stage": 1}]  # kept here


def test_no_such_bucket(tmp_path: Path, s3: S3) -> None:
    machine = Machine(tmp_path / "one", "s3://there-is-no-such-bucket/x")
    with pytest.raises(StoreUnreachable, match="bucket"):
        machine.make(write(tmp_path / "in", FILES), stage=1)


@pytest.mark.parametrize(
    "url", ["bucket/prefix", "s3://key:secret@bucket/prefix", "s3://bucket?endpoint=x", "simplecache::s3://bucket"]
)
def test_an_address_that_will_not_do(url: str) -> None:
    with pytest.raises(UserError) as caught:
        Bucket(url)
    assert "secret@" not in caught.value.message
