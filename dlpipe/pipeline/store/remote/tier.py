"""Records, trees and objects in a bucket, laid out as in the local store, which is each machine's cache of it.

What is fetched is believed only once its digest is right; the rest is set aside, as in the local store, so that whoever
makes it anew can put it there. What is sent goes up in the order object, tree, record: what names something is there
only after what it names, so a machine that dies meanwhile leaves nothing half that anybody sees. The first record of a
key stays.

What gc took away (gc.py) it has only moved aside, so that what somebody names at that moment is found all the same.
That a record was used is said twice a day.

Reading never fails: a store that does not answer has nothing, and `on_trouble` hears of it. Sending raises
StoreUnreachable: what only this machine has is of no use to the others.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from dlpipe.errors import StoreUnreachable
from dlpipe.pipeline.store import check
from dlpipe.pipeline.store.disk import temporary
from dlpipe.pipeline.store.objects import Objects
from dlpipe.pipeline.store.remote.bucket import Bucket, TooLargeError
from dlpipe.pipeline.store.remote.names import DAMAGED, FOLDERS, REMOVED, name_of
from dlpipe.pipeline.store.remote.sent import Sent
from dlpipe.pipeline.store.values import File, Kind, Lost, Problem, Record, Tree

T = TypeVar("T")
_AT_ONCE = 8  # transfers
_MANIFEST_BYTES = 256 << 20  # of a record, or of a tree's list of files
_LOG_BYTES = 1 << 30
_NEW_SECONDS = 21600.0  # with sent.ASK_AGAIN_SECONDS less than gc.GRACE_SECONDS: what a journal says stays true
_AGAIN_SECONDS = 60.0  # until a store that did not answer is asked again


class _DamagedError(Exception):
    """Not what its name says, or something that it names is not; set aside by now."""


class Remote:
    """`lock` guards the local store while something is put into it. Threads may share it."""

    def __init__(
        self,
        bucket: Bucket,
        objects: Objects,
        lock: Callable[[], AbstractContextManager[None]],
        *,
        on_damage: Callable[[Problem], None] | None,
        on_trouble: Callable[[str], None] | None,
    ) -> None:
        self._bucket = bucket
        self._objects = objects
        self._lock = lock
        self._on_damage = on_damage
        self._on_trouble = on_trouble
        self._ask_from = 0.0
        name = hashlib.sha256(bucket.url.encode()).hexdigest()[:16]
        self._sent = Sent(objects.root / "remote" / f"{name}.sent")

    def fetch_record(self, key: str) -> bool:
        """With all that it names, into the local store. False: it has none that is whole, or does not answer."""
        return self._reading(lambda: self._record(key))

    def fetch_tree(self, digest: str) -> bool:
        return self._reading(lambda: self._tree(digest))

    def fetch_object(self, sha256: str) -> bool:
        """A log: the only object without a tree."""
        return self._reading(lambda: self._object(sha256, None))

    def offer(self, record: Record) -> None:
        """What the local store has, unless it was sent before. Where that fails now, it is offered again."""
        if record.key not in self._sent:
            self._reading(lambda: self._send_record(record, adopt=False))

    def send_record(self, record: Record) -> None:
        """With all that it names. Where there is one of this key, that is fetched into the local store, if it has none.
        Raises StoreUnreachable, Lost."""
        if record.key not in self._sent:
            self._send_record(record, adopt=True)

    def send_tree(self, digest: str) -> None:
        """Raises StoreUnreachable, Lost."""
        if self._bucket.has(name_of("tree", digest)):
            return
        try:
            with self._lock():
                tree = self._objects.read_tree(digest)
        except (OSError, ValueError) as error:
            raise Lost(f"tree {digest[:12]} of the cache is missing or damaged") from error
        _all(self._send_object, {file.sha256 for file in tree.files})
        self._bucket.create(name_of("tree", digest), tree.dump())

    def _send_record(self, record: Record, *, adopt: bool) -> None:
        name = name_of("record", record.key)
        for _ in range(3):
            if self._bucket.has(name):
                if adopt:
                    try:
                        self._record(record.key)
                    except (_DamagedError, FileNotFoundError):  # out of the way by now
                        continue
                else:
                    self._say_used(record)
                break
            if record.log is not None:
                self._send_object(record.log)
            if record.output is not None:
                self.send_tree(record.output)
            if self._bucket.create(name, record.dump()):
                break
        else:
            raise StoreUnreachable(f"the shared store's damaged record {record.key[:12]} cannot be replaced")
        self._sent.add(record.key)

    def _send_object(self, sha256: str) -> None:
        if self._bucket.has(name_of("object", sha256)):
            return
        if self._objects.state(sha256, thorough=True) != "intact":
            raise Lost(f"object {sha256[:12]} of the cache is missing or damaged")
        self._bucket.send(name_of("object", sha256), self._objects.path(sha256))

    def _record(self, key: str) -> None:
        """Raises FileNotFoundError, _DamagedError."""
        data = self._read("record", key)
        try:
            record = Record.load(data, key)
            if record.output is not None:
                self._tree(record.output)
            if record.log is not None:
                self._object(record.log, None)
        except (_DamagedError, FileNotFoundError, ValueError) as error:
            self._sent.forget(key)
            raise self._set_aside("record", key, _why(error)) from error
        with self._lock():
            self._objects.add_record(key, data)
        if key not in self._sent:
            self._say_used(record)
            self._sent.add(key)

    def _say_used(self, record: Record) -> None:
        """Unless it is new: gc then leaves it alone anyway."""
        with suppress(ValueError):
            if time.time() - datetime.fromisoformat(record.created).timestamp() < _NEW_SECONDS:
                return
        with suppress(StoreUnreachable):  # or only to be read
            self._bucket.write(name_of("use", record.key), b"")

    def _tree(self, digest: str) -> None:
        with self._lock():
            if not check.inspect_tree(self._objects, digest)[1]:
                return
        data = self._read("tree", digest)
        try:
            tree = Tree.load(data, digest)
            _all(self._file, {file.sha256: file for file in tree.files}.values())
        except (_DamagedError, FileNotFoundError, ValueError) as error:
            raise self._set_aside("tree", digest, _why(error)) from error
        with self._lock():
            self._objects.add_tree(tree)

    def _file(self, file: File) -> None:
        self._object(file.sha256, file.size)

    def _object(self, sha256: str, size: int | None) -> None:
        """Under the lock while it comes: gc takes what it finds in `tmp` for a dead process's."""
        with self._lock():
            if self._objects.refresh(sha256, size):
                return
            with temporary(self._objects.tmp) as fresh:
                try:
                    self._fetch(name_of("object", sha256), fresh, _LOG_BYTES if size is None else size)
                except TooLargeError as error:
                    raise self._set_aside("object", sha256, "larger than it should be") from error
                if size is not None and fresh.stat().st_size != size:
                    raise self._set_aside("object", sha256, "smaller than it should be")
                if not self._objects.adopt(fresh, sha256):
                    raise self._set_aside("object", sha256, "another content")

    def _read(self, kind: Kind, digest: str) -> bytes:
        with self._lock(), temporary(self._objects.tmp) as fresh:
            try:
                self._fetch(name_of(kind, digest), fresh, _MANIFEST_BYTES)
            except TooLargeError as error:
                raise self._set_aside(kind, digest, "too large") from error
            return fresh.read_bytes()

    def _fetch(self, name: str, path: Path, limit: int) -> None:
        """Raises FileNotFoundError, TooLargeError, StoreUnreachable. Of what gc took away, a copy is brought back. A
        record that it took away is gone: that is an ordinary miss, which must not cost a second question."""
        try:
            self._bucket.fetch(name, path, limit)
        except FileNotFoundError:
            if name.startswith(FOLDERS["record"]):
                raise
            rounds = reversed(self._bucket.folders(REMOVED))
            if not any(self._bucket.copy(f"{REMOVED}/{each}/{name}", name) for each in rounds):
                raise
            self._bucket.fetch(name, path, limit)

    def _set_aside(self, kind: Kind, name: str, reason: str) -> _DamagedError:
        with suppress(StoreUnreachable):  # or not allowed: then it is found again
            self._bucket.move(name_of(kind, name), f"{DAMAGED}/{kind}-{name}-{secrets.token_hex(4)}")
        problem = Problem(kind, name, f"in the shared store: {reason}")
        if self._on_damage is not None:
            self._on_damage(problem)
        return _DamagedError(str(problem))

    def _reading(self, work: Callable[[], None]) -> bool:
        """Whether it was done."""
        if time.monotonic() < self._ask_from:
            return False
        try:
            work()
        except (FileNotFoundError, _DamagedError, Lost):
            return False
        except StoreUnreachable as error:
            self._ask_from = time.monotonic() + _AGAIN_SECONDS
            if self._on_trouble is not None:
                self._on_trouble(error.message)
            return False
        return True


def _all(work: Callable[[T], None], each: Iterable[T]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(work, each))


def _why(error: Exception) -> str:
    match error:
        case _DamagedError():
            return "what it names is missing or damaged"
        case FileNotFoundError():
            return "what it names is missing"
        case _:
            return str(error)
