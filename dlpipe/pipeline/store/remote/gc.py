"""Making room in a bucket that several machines use meanwhile. Nobody can lock it, and any of them may die at any time.

A machine that sends a stage's result does not send again what is there. So a thing may be named by a new record at the
very moment at which gc, that has not seen the record, takes it away. Therefore it goes in two steps, a day apart: trees
and objects are moved to `removed/ROUND/`, where whoever misses one finds it (tier.py), and a round is emptied by a gc
of a later day, once what records name by then has been brought back. That is right as long as sending one result takes
less than a day, and machines' clocks agree to some hours.

What was written or used within a day stays. Names go before what they name: a kill leaves nothing that points nowhere.
Records are not kept: whoever misses one computes the stage again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from typing import TypeVar

from dlpipe.pipeline.store.gc import Limits, Live, choose
from dlpipe.pipeline.store.remote.bucket import Bucket, Entry
from dlpipe.pipeline.store.remote.names import DAMAGED, FOLDERS, REMOVED, digest_of, name_of
from dlpipe.pipeline.store.values import Record, Tree

T = TypeVar("T")
R = TypeVar("R")
GRACE_SECONDS = 86400.0
_AT_ONCE = 8  # requests


class StoppedError(Exception):
    """Somebody said that it is over."""


@dataclass(frozen=True, slots=True)
class Collected:
    """How many records were dropped, and how many trees and objects were moved aside, these of `bytes`.

    `emptied`: bytes of what had been moved aside earlier, and is gone."""

    records: int = 0
    trees: int = 0
    objects: int = 0
    bytes: int = 0
    emptied: int = 0

    def __add__(self, other: Collected) -> Collected:
        return Collected(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))


def collect(
    bucket: Bucket,
    limits: Limits,
    now: float,
    *,
    roots: Callable[[], Collection[str]] = tuple,
    dry_run: bool = False,
    over: Callable[[], bool] = lambda: False,
) -> Collected:
    """`limits.grace`: no shorter than sending a result takes. `roots`: digests of trees that stay, asked for once trees
    and objects are listed. `dry_run`: only say what would go. `over`: whether to stop. Raises StoreUnreachable and
    StoppedError, and leaves the rest as it is."""
    found = _Found(bucket, now, limits, over)
    named = {*roots(), *found.young_trees()}
    found.read_trees_of(found.records.values(), named)
    live = Live(found.tree_sizes, found.object_size)
    for digest in named:
        live.add_tree(digest)
    dropped = found.too_old | choose([(found.age(key), each) for key, each in found.records.items()], limits, live)
    if not dry_run:
        spared = {key for key in found.each(found.drop, dropped) if key is not None}
        dropped -= spared
        records = [record for record in map(found.read_record, spared) if record is not None]
        found.read_trees_of(records)
        for record in records:
            live.add(record)
        found.each(found.bring_back, found.missing(live))
    trees, objects, refuse = found.doomed("tree", live.trees), found.doomed("object", live.sizes), found.refuse
    if not dry_run:
        aside = f"{REMOVED}/{now:.0f}-{secrets.token_hex(4)}"
        for doomed in (trees, objects):
            found.each(lambda entry: bucket.move(entry.name, f"{aside}/{entry.name}"), doomed)
        found.each(lambda entry: bucket.remove(entry.name), refuse)
    return Collected(len(dropped), len(trees), len(objects), _bytes([*trees, *objects]), _bytes(refuse))


class _Found:
    """What lies in the bucket. It was listed in the order of sending, so that what a thing names was there before."""

    def __init__(self, bucket: Bucket, now: float, limits: Limits, over: Callable[[], bool]) -> None:
        self._bucket = bucket
        self._over = over
        self._now = now
        self._before = now - limits.grace
        aside = bucket.listing(REMOVED)
        self._aside = {entry.name.split("/", 2)[-1]: entry for entry in aside}
        self.refuse = [entry for entry in aside if _round(entry) < self._before]
        self.refuse += [entry for entry in bucket.listing(DAMAGED) if entry.modified < self._before]
        self._there = {kind: self._list(kind) for kind in ("object", "tree", "record", "use")}
        uses, records = self._there["use"], self._there["record"]
        self.refuse += [each for key, each in uses.items() if key not in records and each.modified < self._before]
        oldest = limits.grace if limits.max_age is None else max(limits.grace, limits.max_age)
        self.too_old = {key for key in records if limits.max_age is not None and self.age(key) > oldest}
        read = self.each(self.read_record, records.keys() - self.too_old)
        self.records = {record.key: record for record in read if record is not None}
        self._sizes: dict[str, Mapping[str, int]] = {}

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Raises StoppedError."""

        def unless_over(item: T) -> R:
            if self._over():
                raise StoppedError
            return work(item)

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(unless_over, items))

    def _list(self, kind: str) -> dict[str, Entry]:
        """By digest. What a machine that died left half written is refuse."""
        found: dict[str, Entry] = {}
        for entry in self._bucket.listing(FOLDERS[kind]):
            digest = digest_of(kind, entry.name)
            if digest is not None:
                found[digest] = entry
            elif entry.name.endswith(".part") and entry.modified < self._before:
                self.refuse.append(entry)
        return found

    def age(self, key: str) -> float:
        """Seconds since the record's last use."""
        last = self._there["record"][key].modified
        use = self._there["use"].get(key)
        return self._now - (max(last, use.modified) if use is not None else last)

    def young_trees(self) -> set[str]:
        return {digest for digest, entry in self._there["tree"].items() if entry.modified >= self._before}

    def object_size(self, sha256: str) -> int:
        entry = self._there["object"].get(sha256)
        return entry.size if entry is not None else 0

    def tree_sizes(self, digest: str) -> Mapping[str, int]:
        return self._sizes.get(digest, {})

    def read_trees_of(self, records: Iterable[Record], others: Collection[str] = ()) -> None:
        digests = {*others, *(record.output for record in records if record.output is not None)}
        self._sizes |= dict(self.each(self._read_tree, digests - self._sizes.keys()))

    def _read_tree(self, digest: str) -> tuple[str, Mapping[str, int]]:
        name = name_of("tree", digest)
        for place in (name, *(self._aside[each].name for each in [name] if each in self._aside)):
            try:
                files = Tree.load(self._bucket.read(place), digest).files
            except (FileNotFoundError, ValueError):  # not there, or damaged: who reads it will find out
                continue
            return digest, {file.sha256: file.size for file in files}
        return digest, {}

    def read_record(self, key: str) -> Record | None:
        """None where it is just gone, or damaged."""
        try:
            return Record.load(self._bucket.read(name_of("record", key)), key)
        except (FileNotFoundError, ValueError):
            return None

    def drop(self, key: str) -> str | None:
        """Returns the key of a record that was used meanwhile, and stays."""
        use = self._bucket.modified(name_of("use", key))
        if use is not None and use >= self._before:
            return key
        self._bucket.remove(name_of("record", key))
        if use is not None:
            self._bucket.remove(name_of("use", key))
        return None

    def missing(self, live: Live) -> list[str]:
        """Names of what stays, and was moved aside."""
        digests: Mapping[str, Collection[str]] = {"object": live.sizes, "tree": live.trees}
        names = [name_of(kind, each) for kind, of in digests.items() for each in of if each not in self._there[kind]]
        return [name for name in names if name in self._aside]

    def bring_back(self, name: str) -> None:
        self._bucket.copy(self._aside[name].name, name)

    def doomed(self, kind: str, live: Collection[str]) -> list[Entry]:
        entries = self._there[kind].items()
        return [entry for digest, entry in entries if digest not in live and entry.modified < self._before]


def _round(entry: Entry) -> float:
    """When it was moved aside, in seconds since 1970. The file's own time may be that of its making."""
    when = entry.name.split("/")[1].partition("-")[0]
    return float(when) if when.isdecimal() else entry.modified


def _bytes(entries: Iterable[Entry]) -> int:
    return sum(entry.size for entry in entries)
