"""Making room: records least recently used go first, then what no record names any more.

The caller holds the store's lock alone, so nothing is being written. What was made or used within `grace` seconds
stays, and so does what a live run has touched: a run ingests its files before it has a record for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dlpipe.pipeline.store.check import readable_records
from dlpipe.pipeline.store.objects import Objects
from dlpipe.pipeline.store.values import Record


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_bytes` for all objects, `max_age` in seconds since the last use; None is no limit."""

    max_bytes: int | None
    max_age: float | None
    grace: float


def collect(
    objects: Objects, limits: Limits, last_use: Mapping[str, float], pinned: tuple[set[str], set[str]], now: float
) -> tuple[int, set[str]]:
    """Returns the bytes freed, and the keys of the records dropped. `pinned` holds record keys and tree digests."""
    keys, trees = pinned
    live = Live(lambda digest: _tree_sizes(objects, digest), lambda sha256: _size(objects.path(sha256)))
    for digest in objects.all_trees():
        if digest in trees or now - _changed(objects.tree_path(digest)) < limits.grace:
            live.add_tree(digest)
    ages = [
        (now - max(_changed(objects.record_path(r.key)), last_use.get(r.key, 0.0)), r)
        for r in readable_records(objects)
    ]
    dropped = choose(ages, limits, live, keys)
    return _sweep(objects, live, dropped, now - limits.grace), dropped


def choose(ages: Iterable[tuple[float, Record]], limits: Limits, live: Live, needed: Collection[str] = ()) -> set[str]:
    """Keys of the records that go; what the others name is added to `live`. `ages`: seconds since the last use."""
    dropped: set[str] = set()
    full = False
    for age, record in sorted(ages, key=lambda pair: (pair[0], pair[1].key)):
        stays = record.key in needed or max(age, 0) < limits.grace
        too_old = limits.max_age is not None and age > limits.max_age
        full = full or (limits.max_bytes is not None and live.size_with(record) > limits.max_bytes)
        if stays or not (too_old or full):
            live.add(record)
        else:
            dropped.add(record.key)
    return dropped


class Live:
    """What stays: trees, and objects with their sizes, in bytes.

    `tree_sizes`: of a tree's objects; none where it cannot be read (it then holds nothing alive; `get` will find out).
    """

    def __init__(self, tree_sizes: Callable[[str], Mapping[str, int]], log_size: Callable[[str], int]) -> None:
        self._tree_sizes = tree_sizes
        self._log_size = log_size
        self._total = 0
        self.trees: set[str] = set()
        self.sizes: dict[str, int] = {}

    def add(self, record: Record) -> None:
        self._add(self._sizes(record))
        if record.output is not None:
            self.trees.add(record.output)

    def add_tree(self, digest: str) -> None:
        self._add(self._tree_sizes(digest))
        self.trees.add(digest)

    def size_with(self, record: Record) -> int:
        sizes = self._sizes(record)
        return self._total + sum(sizes[sha256] for sha256 in sizes.keys() - self.sizes.keys())

    def _add(self, sizes: Mapping[str, int]) -> None:
        self._total += sum(sizes[sha256] for sha256 in sizes.keys() - self.sizes.keys())
        self.sizes |= sizes

    def _sizes(self, record: Record) -> Mapping[str, int]:
        sizes = self._tree_sizes(record.output) if record.output is not None else {}
        return {**sizes, record.log: self._log_size(record.log)} if record.log else sizes


def _tree_sizes(objects: Objects, digest: str) -> dict[str, int]:
    try:
        return {file.sha256: file.size for file in objects.read_tree(digest).files}
    except (OSError, ValueError):
        return {}


def _sweep(objects: Objects, live: Live, dropped: set[str], before: float) -> int:
    """Names go before what they name, so that a kill leaves nothing that points nowhere."""
    for key in dropped:
        objects.record_path(key).unlink(missing_ok=True)
    freed = 0
    doomed = [objects.tree_path(digest) for digest in objects.all_trees() if digest not in live.trees]
    doomed += [objects.path(sha256) for sha256 in objects.all_objects() if sha256 not in live.sizes]
    doomed += list(objects.damaged.iterdir())
    for path in doomed:
        if _changed(path) <= before:
            freed += _size(path)
            path.unlink(missing_ok=True)
    for path in objects.tmp.iterdir():  # left by a killed process: nobody alive is writing
        freed += _size(path)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return freed


def _changed(path: Path) -> float:
    """Seconds since 1970 of the inode's last change (a write, a new link, a renewed stamp). 0 where there is none."""
    try:
        return path.lstat().st_ctime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
