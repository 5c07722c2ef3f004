"""The door of the store: every access to its files goes through here, under its lock.

Many processes and threads may use one store at once. Readers and writers share the lock; gc and the removal of
damaged parts hold it alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from hashlib import sha256 as _sha256
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dlpipe.errors import StoreUnreachable, UserError
from dlpipe.pipeline.store import check, gc, layout
from dlpipe.pipeline.store.disk import writing
from dlpipe.pipeline.store.folder import Entry, entries, opened
from dlpipe.pipeline.store.objects import Objects
from dlpipe.pipeline.store.pins import Pins
from dlpipe.pipeline.store.remote import Bucket, Remote
from dlpipe.pipeline.store.uses import Uses
from dlpipe.pipeline.store.values import File, Lost, Problem, Record, Tree
from dlpipe.toolchains.locking import exclusive, shared

if TYPE_CHECKING:
    from dlpipe.pipeline.store.index import Index

STAMP_FROM = 64 << 20  # bytes: below this, hashing a file is faster than opening the index
_STILL = 2 * 10**9  # ns: a file changed this lately may change again without its time stamp showing it
_COPIERS = 4  # threads: hashing and fsync overlap, and the file system joins several fsyncs into one commit
_GRACE = 600.0  # seconds


class Store:
    """A content-addressed store below `root`. `on_damage` hears of every damaged part that was set aside.

    `bucket`: a tier behind it that other machines share (remote/tier.py). What is not here is fetched from there, and
    every record goes there; `on_trouble` hears, in words, when it does not answer.

    Raises UserError wherever its disk is full, read-only or failing; what was complete before stays intact.
    """

    def __init__(
        self,
        root: Path,
        *,
        bucket: Bucket | None = None,
        on_damage: Callable[[Problem], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.root = root
        self._on_damage = on_damage
        self._lock = root / "lock"
        with writing(root):
            self._objects = Objects(root)
        self._pins = Pins(root / "pins")
        self._uses = Uses(root / "uses.log")
        self._remote: Remote | None = None
        if bucket is not None:
            self._remote = Remote(bucket, self._objects, self._writing, on_damage=on_damage, on_trouble=on_trouble)
        self._whole: set[str] = set()  # large objects that this process has hashed; from then on the stamp will do

    def ingest(self, path: Path, *, move: bool = False, also: Mapping[str, str] = MappingProxyType({})) -> Tree:
        """Take a folder, or a file as a folder of one entry. With `move`, empty the folder afterwards.

        `also`: name -> digest of a tree of which the new one has the file of that name too; nothing is copied.

        A moved file is copied too (blocks are shared where the file system can): whoever wrote it may still have it
        open. Raises BadModel on links that leave the folder and on devices, UserError on what cannot be read, Lost.
        """
        shared = [self.tree(digest).file(name) for name, digest in also.items()]
        tree = self._take(entries(path), remembered=not move, also=shared)
        if move:
            with writing(path, "the working folder"):
                for child in path.iterdir():
                    layout.remove(child)
        return tree

    def ingest_files(self, files: Mapping[str, Path]) -> Tree:
        """Take files and folders under names of the caller's choice, as one folder."""
        return self._take(
            [
                replace(each, name=f"{name}/{each.name}" if path.is_dir() else name)
                for name, path in files.items()
                for each in entries(path)
            ],
            remembered=True,
        )

    def put_blob(self, data: bytes) -> str:
        """Keep a log. Returns its SHA-256, which a record may name."""
        with self._writing():
            return self._objects.add_bytes(data)

    def blob(self, sha256: str) -> bytes:
        """Raises Lost."""
        data = self._blob(sha256)
        if data is None and self._remote is not None and self._remote.fetch_object(sha256):
            data = self._blob(sha256)
        if data is None:
            raise _lost(f"object {sha256[:12]}")
        return data

    def _blob(self, sha256: str) -> bytes | None:
        try:
            data = self._objects.path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        return data if _sha256(data).hexdigest() == sha256 else None

    def tree(self, digest: str) -> Tree:
        """Names, digests and sizes of its files. Raises Lost."""
        with self._using(digest) as tree:
            return tree

    def read(self, digest: str, name: str) -> bytes:
        """The content of one file of a tree. Raises Lost; LookupError when the tree has no such file."""
        with self._using(digest) as tree:
            sha256 = tree.file(name).sha256
            data = self._objects.path(sha256).read_bytes()
            if _sha256(data).hexdigest() != sha256:
                raise layout.DamagedObjectError(sha256)
            return data

    def checkout(self, digest: str, folder: Path, *, link: bool) -> None:
        """Lay a tree out for a worker, read-only. `link` only where its mount is truly read-only. Raises Lost."""
        with self._using(digest) as tree, writing(folder, "the working folder"):
            layout.for_worker(
                tree, folder, self._objects.path, link=link, known=lambda file: file.sha256 in self._whole
            )
            self._whole.update(file.sha256 for file in tree.files if file.size >= STAMP_FROM)

    def export(self, digest: str, folder: Path) -> None:
        """Hand a tree to the user: plain files, never links into the store; whole or not at all. Raises Lost."""
        with self._using(digest) as tree, writing(folder, "the output folder"):
            layout.for_user(tree, folder, self._objects.path)

    def export_file(self, digest: str, name: str, path: Path) -> None:
        """Hand one file of a tree to the user, as `export`."""
        with self._using(digest) as tree, writing(path, "the output folder"):
            layout.file_for_user(tree.file(name), path, self._objects.path)

    def get(self, key: str) -> Record | None:
        """The record of a finished stage, if it and everything it names is intact. What is damaged is set aside."""
        found = self._get(key)
        if self._remote is None:
            return found
        if found is None:
            return self._get(key) if self._remote.fetch_record(key) else None
        self._remote.offer(found)
        return found

    def _get(self, key: str) -> Record | None:
        with self._writing():
            record, problems = check.inspect_record(self._objects, key)
            if record is not None and not problems:
                self._pins.add("record", key)
                self._uses.add(key)
                return record
        if problems:
            self._set_aside(lambda: check.inspect_record(self._objects, key, thorough=True)[1])
        return None

    def put(self, record: Record) -> Record:
        """Keep a record; returns the one that is now there, since the first to finish a stage wins.

        Raises ValueError when `key` is not the digest of `parts`, or a field is not plain JSON; StoreUnreachable once
        it is kept here, where the shared store would not take it.
        """
        trouble: StoreUnreachable | None = None
        data = record.dump()
        if self._remote is not None:
            try:
                self._remote.send_record(record)
            except StoreUnreachable as error:
                trouble = error
        kept = self._put(record, data)
        if trouble is not None:
            raise trouble
        return kept

    def share(self, digest: str) -> None:
        """See to it that other machines find a tree in the shared store: one that was taken in here and belongs to no
        record, such as the user's model. Nothing where there is none. Raises StoreUnreachable, Lost."""
        if self._remote is not None:
            self._remote.send_tree(digest)

    def _put(self, record: Record, data: bytes) -> Record:
        for _ in range(3):
            with self._writing():
                self._pins.add("record", record.key)
                if self._objects.add_record(record.key, data):
                    break
            stored = self._get(record.key)  # sets it aside if it is damaged
            if stored is not None:
                return stored
        return Record.load(data, record.key)

    def records(self) -> Iterator[Record]:
        """All that can be read, in the order of their keys; what they name is not checked."""
        return check.readable_records(self._objects)

    @contextmanager
    def pin(self, run_id: str) -> Iterator[None]:
        """Whatever this object hands out or takes in meanwhile is safe from gc, until the process ends."""
        with self._writing():
            descriptor, path = self._pins.open(run_id)
        try:
            yield
        finally:
            self._pins.close(descriptor, path)

    def verify(self, *, repair: bool = False) -> list[Problem]:
        """Hash everything. With `repair`, set aside what is damaged, and what depends on it."""
        if not repair:
            with self._writing():
                return check.verify(self._objects)
        return self._set_aside(lambda: check.verify(self._objects))

    def gc(self, max_bytes: int | None = None, max_age: float | None = None, *, grace: float = _GRACE) -> int:
        """Drop records by age (seconds since last use), then the least recently used until the rest fits.

        Returns the bytes freed. What a live run touched, and what is younger than `grace` seconds, stays.
        """
        with writing(self.root), exclusive(self._lock):
            last_use = self._uses.fold(self._index.last_uses)
            limits = gc.Limits(max_bytes, max_age, grace)
            freed, dropped = gc.collect(self._objects, limits, last_use, self._pins.live(), time.time())
            self._index.forget_uses(dropped)
            return freed

    @cached_property
    def _index(self) -> Index:
        from dlpipe.pipeline.store.index import Index

        return Index(self.root / "index.sqlite")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with writing(self.root), shared(self._lock):
            yield

    @contextmanager
    def _using(self, digest: str) -> Iterator[Tree]:
        if self._remote is not None:
            self._bring(digest, self._remote)
        with self._writing():
            tree, problems = check.inspect_tree(self._objects, digest)
            if tree is not None and not problems:
                self._pins.add("tree", digest)
                try:
                    yield tree
                except layout.DamagedObjectError:
                    pass  # its stamp was right and its content is not: look closer, with the lock released
                else:
                    return
        self._set_aside(lambda: check.inspect_tree(self._objects, digest, thorough=True)[1])
        raise _lost(f"tree {digest[:12]}")

    def _bring(self, digest: str, remote: Remote) -> None:
        """What of a tree is not here in full, from the shared store."""
        with self._writing():
            problems = check.inspect_tree(self._objects, digest)[1]
        if problems and problems != [Problem("tree", digest, "missing")]:
            self._set_aside(lambda: check.inspect_tree(self._objects, digest, thorough=True)[1])
        if problems:
            remote.fetch_tree(digest)

    def _set_aside(self, inspect: Callable[[], list[Problem]]) -> list[Problem]:
        """Look again with the lock held alone: another process may have put things right meanwhile."""
        with writing(self.root), exclusive(self._lock):
            problems = inspect()
            for problem in problems:
                self._objects.set_aside(problem)
        if self._on_damage is not None:
            for problem in problems:
                self._on_damage(problem)
        return problems

    def _take(self, found: list[Entry], *, remembered: bool, also: Iterable[File] = ()) -> Tree:
        with self._writing(), ThreadPoolExecutor(_COPIERS) as threads:
            tree = Tree.of([*threads.map(lambda entry: self._take_one(entry, remembered), found), *also])
            self._objects.add_tree(tree)
            self._pins.add("tree", tree.digest)
        return tree

    def _take_one(self, entry: Entry, remembered: bool) -> File:
        with opened(entry) as (descriptor, status):
            executable = bool(status.st_mode & 0o100)
            large = remembered and status.st_size >= STAMP_FROM
            known = self._index.digest_of(entry.path, status) if large else None
            if known is not None and self._objects.refresh(known, status.st_size):
                return File(entry.name, known, status.st_size, executable)
            still = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _STILL
            sha256, size = self._objects.add(descriptor)
            after = os.fstat(descriptor)
            if (size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                raise UserError(f"{entry.name} changed while it was read", hint="try again when it is complete")
            if large and still:
                self._index.remember(entry.path, status, sha256)
            return File(entry.name, sha256, size, executable)


def _lost(what: str) -> Lost:
    return Lost(f"{what} of the cache is missing or damaged", hint="run the command again: it will be made anew")
