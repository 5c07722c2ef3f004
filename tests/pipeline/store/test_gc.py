"""Making room takes the oldest, and never what somebody needs."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from dlpipe.pipeline.store import Record, Store
from tests.pipeline.store.making import objects, record, write


def fill(store: Store, folder: Path, number: int, size: int = 1000) -> Record:
    tree = store.ingest(write(folder / f"in-{number}", {"a": bytes([number]) * size, "shared": b"shared"}))
    return store.put(record(tree, number, stage=number))


def use(store: Store, stored: Record, when: float) -> None:
    """Pretend that it was last used at `when`, as the journal would say."""
    with (store.root / "uses.log").open("a") as journal:
        journal.write(f"{stored.key} {when:.0f}\n")


def test_without_limits_nothing_that_a_record_names_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stored = fill(store, tmp_path, 1)
    orphan = store.ingest(write(tmp_path / "orphan", {"o": b"orphan" * 100}))
    assert store.gc(grace=0) >= 600
    assert store.get(stored.key) == stored
    assert orphan.files[0].sha256[2:] not in {path.name for path in objects(store.root)}
    assert store.verify() == []


def test_the_least_recently_used_go_until_the_rest_fits(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stored = [fill(store, tmp_path, number) for number in range(4)]
    for age, each in zip((1, 3, 0, 2), stored, strict=True):
        use(store, each, 4e9 - age)  # in the future: later than the files themselves
    freed = store.gc(max_bytes=2100, grace=0)
    assert freed >= 2000
    assert [store.get(each.key) is not None for each in stored] == [True, False, True, False]
    assert store.verify() == []


def test_last_uses_outlive_a_gc_and_a_lost_index_is_no_loss(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stored = [fill(store, tmp_path, number) for number in range(3)]
    use(store, stored[0], 4e9)
    store.gc(grace=0)  # folds the journal into the index
    store.gc(max_bytes=1010, grace=0)
    assert [store.get(each.key) is not None for each in stored] == [True, False, False]
    (store.root / "index.sqlite").unlink()
    assert store.gc(max_bytes=2100, grace=0) == 0
    assert store.get(stored[0].key) == stored[0]


def test_young_things_stay(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stored = fill(store, tmp_path, 1)
    store.ingest(write(tmp_path / "orphan", {"o": b"orphan"}))
    assert store.gc(max_bytes=0, max_age=0) == 0
    assert store.get(stored.key) == stored


def test_a_pinned_run_keeps_all_that_it_touched(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "store"), Store(tmp_path / "store")
    before, unused = fill(store, tmp_path, 1), fill(store, tmp_path, 2)
    with store.pin("run"):
        assert store.get(before.key) == before
        tree = store.ingest(write(tmp_path / "fresh", {"f": b"fresh"}))
        made = fill(store, tmp_path, 3)
        assert other.gc(max_bytes=0, max_age=0, grace=0) > 0
        assert store.get(before.key) == before
        assert store.get(made.key) == made
        assert store.read(tree.digest, "f") == b"fresh"
        assert other.get(unused.key) is None
    assert other.gc(max_bytes=0, grace=0) > 0
    assert [store.get(each.key) for each in (before, made)] == [None, None]
    assert list((store.root / "pins").iterdir()) == []


def test_the_pin_of_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stored = fill(store, tmp_path, 1)
    code = (
        "import os, sys; from pathlib import Path; from dlpipe.pipeline.store import Store\n"
        "store = Store(Path(sys.argv[1])); pin = store.pin('dead'); pin.__enter__()\n"
        "assert store.get(sys.argv[2]) is not None; os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.root), stored.key], check=False, timeout=60)
    assert done.returncode == 9
    assert len(list((store.root / "pins").iterdir())) == 1
    assert store.gc(max_bytes=0, grace=0) > 0
    assert store.get(stored.key) is None
    assert list((store.root / "pins").iterdir()) == []


def test_an_object_in_use_again_counts_as_young(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.ingest(write(tmp_path / "in", {"a": b"again"}))
    (path,) = objects(store.root)
    before = path.stat().st_ctime_ns
    while True:  # the kernel's clock for files ticks every few milliseconds
        store.ingest(tmp_path / "in")
        if path.stat().st_ctime_ns != before:
            break
    assert path.stat().st_mtime < 1_300_000_000


def test_gc_and_writers_at_once(tmp_path: Path) -> None:
    """Runs that write while gc removes everything it may: no run ever misses what it has made."""
    failures: list[str] = []
    stop = threading.Event()

    def run(number: int) -> None:
        store = Store(tmp_path / "store")
        with store.pin(f"run-{number}"):
            for round_ in range(15):
                made = fill(store, tmp_path / f"{number}-{round_}", round_ * 4 + number)
                if store.get(made.key) != made:
                    failures.append(f"{number}: {round_}")

    def clean() -> None:
        store = Store(tmp_path / "store")
        while not stop.is_set():
            store.gc(max_bytes=0, max_age=0, grace=0)

    cleaner = threading.Thread(target=clean)
    runs = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in (cleaner, *runs):
        thread.start()
    for thread in runs:
        thread.join(120)
    stop.set()
    cleaner.join(60)
    assert failures == []
    assert Store(tmp_path / "store").verify() == []
