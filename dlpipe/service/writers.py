"""What SQLite lacks where many write: a line to wait in, and one flush of the disk for all who wait for it.

SQLite's own waiting is sleeping and looking again, up to 100 ms each time, while the lock may long be free; and a
commit that is to outlive a power cut flushes the disk with the lock held, so that writers follow one another at the
disk's pace. Here a commit leaves the journal (the write-ahead log) to the operating system, and whoever has to be sure
waits, without the lock, for a flush that began after its commit.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlpipe.toolchains.environment import sync_folder


class Turns:
    """The writers of a database file, one after the other: threads of this process and other processes alike."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._threads = threading.Lock()
        self._descriptor: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._threads:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        with self._threads:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class Journal:
    """The write-ahead log of a database file."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-wal")
        self._swap = threading.Lock()
        self._flushing = threading.Lock()
        self._next = _Flush()
        self._folder_knows: int | None = None  # the inode whose name in the folder is on the disk

    def flush(self) -> None:
        """What was committed before is on the disk afterwards. Raises OSError: it may not be."""
        with self._swap:
            mine = self._next
        with self._flushing:
            if not mine.done:
                with self._swap:
                    self._next = _Flush()  # who comes from now on may have committed too late for this one
                try:
                    self._sync()
                except OSError as error:
                    mine.error = error
                mine.done = True
        if mine.error is not None:
            raise mine.error

    def _sync(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # the last connection was closed, which has put it all into the database, flushed
            return
        try:
            os.fdatasync(descriptor)
            if (inode := os.fstat(descriptor).st_ino) != self._folder_knows:
                sync_folder(self._path.parent)
                self._folder_knows = inode
        finally:
            os.close(descriptor)


@dataclass(slots=True)
class _Flush:
    """Shared by all who wait for it."""

    done: bool = False
    error: OSError | None = None
