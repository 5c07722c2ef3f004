"""The index makes the store faster, and nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.store import store as store_module
from dlpipe.pipeline.store.objects import Objects
from tests.pipeline.store.making import objects, record


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as large, and that nobody has touched for a while."""
    monkeypatch.setattr(store_module, "STAMP_FROM", 1)
    monkeypatch.setattr(store_module, "_STILL", -(10**12))
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every file that is read and hashed."""
    counted: list[int] = []
    real = Objects.add

    def add(self: Objects, descriptor: int) -> tuple[str, int]:
        counted.append(descriptor)
        return real(self, descriptor)

    monkeypatch.setattr(Objects, "add", add)
    return counted


def test_an_unchanged_large_file_is_not_read_again(tmp_path: Path, source: Path, copies: list[int]) -> None:
    tree = Store(tmp_path / "store").ingest(source)
    assert Store(tmp_path / "store").ingest(source) == tree
    assert len(copies) == 1


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_changed_one_is(tmp_path: Path, source: Path, copies: list[int], keep_time: bool) -> None:
    store = Store(tmp_path / "store")
    tree = store.ingest(source)
    times = source.stat()
    time.sleep(0.02)  # the kernel's clock for files ticks every few milliseconds
    source.write_bytes(b"WEIGHTS")
    if keep_time:
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert store.ingest(source) != tree
    assert len(copies) == 2


def test_one_whose_object_is_gone_or_damaged_is_read_again(tmp_path: Path, source: Path, copies: list[int]) -> None:
    store = Store(tmp_path / "store")
    tree = store.ingest(source)
    objects(store.root)[0].unlink()
    assert store.ingest(source) == tree
    path = objects(store.root)[0]
    path.chmod(0o644)
    path.write_bytes(b"other")
    assert store.ingest(source) == tree
    assert store.read(tree.digest, "weights") == b"weights"
    assert len(copies) == 3


def test_a_file_that_has_just_changed_is_not_remembered(
    tmp_path: Path, source: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_STILL", 10**12)
    for _ in range(2):
        Store(tmp_path / "store").ingest(source)
    assert len(copies) == 2


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Objects.add

    def add(self: Objects, descriptor: int) -> tuple[str, int]:
        with source.open("ab") as file:
            file.write(b"more")
        return real(self, descriptor)

    monkeypatch.setattr(Objects, "add", add)
    with pytest.raises(UserError, match="changed while it was read"):
        Store(tmp_path / "store").ingest(source)


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_index_is_begun_anew(tmp_path: Path, source: Path, copies: list[int], content: bytes) -> None:
    store = Store(tmp_path / "store")
    stored = store.put(record(store.ingest(source), stage=1))
    (store.root / "index.sqlite").write_bytes(content)
    assert store.get(stored.key) == stored
    store.ingest(source)
    store.ingest(source)
    assert len(copies) == 2
    store.gc(grace=0)
    assert store.get(stored.key) == stored


def test_an_index_of_another_shape_is_begun_anew(tmp_path: Path, source: Path, copies: list[int]) -> None:
    store = Store(tmp_path / "store")
    connection = sqlite3.connect(store.root / "index.sqlite")
    connection.execute("CREATE TABLE stamps (something TEXT)")
    connection.close()
    store.ingest(source)
    store.ingest(source)
    assert len(copies) == 1


def test_an_index_that_cannot_be_used_is_done_without(tmp_path: Path, source: Path, copies: list[int]) -> None:
    store = Store(tmp_path / "store")
    (store.root / "index.sqlite").mkdir()
    stored = store.put(record(store.ingest(source), stage=1))
    store.ingest(source)
    assert len(copies) == 2
    store.gc(grace=0)
    assert store.get(stored.key) == stored


def test_many_at_once(tmp_path: Path, source: Path) -> None:
    def ingest(number: int) -> str:
        path = tmp_path / f"weights-{number % 5}"
        return Store(tmp_path / "store").ingest(path).digest

    for number in range(5):
        (tmp_path / f"weights-{number}").write_bytes(bytes([number]) * 100)
    with ThreadPoolExecutor(8) as threads:
        digests = list(threads.map(ingest, range(40)))
    assert len(set(digests)) == 5
