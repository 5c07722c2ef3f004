"""Whatever happens to the store's files, a damaged part is a miss: never an error, never a wrong artefact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.pipeline.store import Lost, Problem, Record, Store
from tests.pipeline.store.making import FILES, contents, keep_times, objects, overwrite, record, write


@pytest.fixture
def heard() -> list[Problem]:
    return []


@pytest.fixture
def store(tmp_path: Path, heard: list[Problem]) -> Store:
    return Store(tmp_path / "store", on_damage=heard.append)


@pytest.fixture
def stored(tmp_path: Path, store: Store) -> Record:
    tree = store.ingest(write(tmp_path / "in", FILES))
    return store.put(record(tree, {"a": 1}, store.put_blob(b"log"), stage=1))


def largest(store: Store) -> Path:
    return max(objects(store.root), key=lambda path: path.stat().st_size)


def flip(content: bytes) -> bytes:
    return content[:10] + bytes([content[10] ^ 1]) + content[11:]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(_: bytes) -> bytes:
    return b""


def lengthen(content: bytes) -> bytes:
    return content + b"more"


def make_again(store: Store, tmp_path: Path, stored: Record) -> None:
    """What the pipeline does on a miss."""
    tree = store.ingest(tmp_path / "in")
    store.put_blob(b"log")
    assert store.put(stored) == stored
    assert store.get(stored.key) == stored
    store.export(tree.digest, tmp_path / "again")
    assert contents(tmp_path / "again") == FILES
    assert store.verify() == []


@pytest.mark.parametrize("damage", [flip, cut, empty, lengthen])
def test_a_damaged_object_is_a_miss_and_is_made_again(
    tmp_path: Path, store: Store, stored: Record, heard: list[Problem], damage: Callable[[bytes], bytes]
) -> None:
    overwrite(largest(store), damage(largest(store).read_bytes()))
    assert store.get(stored.key) is None
    assert {problem.kind for problem in heard} == {"object", "tree", "record"}
    assert len(list((store.root / "damaged").iterdir())) == 3
    make_again(store, tmp_path, stored)


def test_a_missing_object_is_a_miss(tmp_path: Path, store: Store, stored: Record, heard: list[Problem]) -> None:
    largest(store).unlink()
    assert store.get(stored.key) is None
    assert any(problem.reason == "missing" for problem in heard)
    make_again(store, tmp_path, stored)


@pytest.mark.parametrize("folder", ["records", "trees"])
@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_record_or_manifest_is_a_miss(
    tmp_path: Path, store: Store, stored: Record, folder: str, damage: Callable[[bytes], bytes]
) -> None:
    (path,) = (store.root / folder).rglob("*.json")
    keep_times(path, damage(path.read_bytes()))
    assert store.get(stored.key) is None
    make_again(store, tmp_path, stored)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_of_a_record_may_change(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("byte")
    store = Store(folder / "store")
    stored = store.put(record(store.ingest(write(folder / "in", {"a": b"1"})), 5, stage=1))
    (path,) = (store.root / "records").iterdir()
    content = bytearray(path.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    overwrite(path, bytes(content))
    assert store.get(stored.key) is None


def test_an_untouched_object_that_only_looks_new_is_no_damage(store: Store, stored: Record) -> None:
    largest(store).touch()
    assert store.get(stored.key) == stored
    assert largest(store).stat().st_mtime < 1_300_000_000  # hashed once, and stamped again


def test_bits_lost_under_an_unchanged_stamp_never_reach_the_user(
    tmp_path: Path, store: Store, stored: Record, heard: list[Problem]
) -> None:
    assert stored.output is not None
    keep_times(largest(store), flip(largest(store).read_bytes()))
    assert store.get(stored.key) is not None  # nothing shows it, short of hashing everything
    write(tmp_path / "out", {"before": b"kept"})
    with pytest.raises(Lost, match="missing or damaged"):
        store.export(stored.output, tmp_path / "out")
    assert contents(tmp_path / "out") == {"before": b"kept"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "store"]
    assert heard
    assert store.get(stored.key) is None
    make_again(store, tmp_path, stored)


def test_bits_lost_under_an_unchanged_stamp_never_reach_a_worker(
    tmp_path: Path, store: Store, stored: Record, heard: list[Problem]
) -> None:
    """It would make a wrong artefact of them, and that would be kept under the right key."""
    assert stored.output is not None
    keep_times(largest(store), flip(largest(store).read_bytes()))
    with pytest.raises(Lost, match="missing or damaged"):
        store.checkout(stored.output, tmp_path / "work", link=True)
    assert heard
    assert store.get(stored.key) is None
    make_again(store, tmp_path, stored)


def test_verify_finds_and_repairs_all_of_it(tmp_path: Path, store: Store, stored: Record) -> None:
    other = store.put(record(store.ingest(write(tmp_path / "other", {"b": b"other"})), stage=2))
    keep_times(largest(store), flip(largest(store).read_bytes()))
    assert {problem.kind for problem in store.verify()} == {"object", "tree", "record"}
    assert store.verify(repair=True) != []
    assert store.verify() == []
    assert store.get(other.key) == other
    make_again(store, tmp_path, stored)


def test_ingesting_again_heals_an_object(tmp_path: Path, store: Store, stored: Record) -> None:
    overwrite(largest(store), b"nonsense")
    store.ingest(tmp_path / "in")
    assert store.get(stored.key) == stored


def test_a_damaged_log_is_told(store: Store, stored: Record) -> None:
    assert stored.log is not None
    (path,) = (path for path in objects(store.root) if path.read_bytes() == b"log")
    overwrite(path, b"lies")
    with pytest.raises(Lost):
        store.blob(stored.log)


def test_a_record_must_be_what_its_key_says(store: Store, stored: Record) -> None:
    with pytest.raises(ValueError, match="digest of its parts"):
        store.put(Record("0" * 64, {"a": 1}, None, None, (), 0.0, ""))
    with pytest.raises(ValueError, match=r"Out of range|digest"):
        store.put(record(None, float("nan"), stage=3))
