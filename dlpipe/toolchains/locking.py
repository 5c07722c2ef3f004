"""Locks on files between processes. The kernel drops them when their holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlpipe.errors import DlpipeError


class BusyError(DlpipeError):
    """Another holds the lock, and the caller did not want to wait."""


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold `path` alone. With `wait=False`, BusyError if another holds it."""
    descriptor = _acquire(path, fcntl.LOCK_EX, os.O_RDWR | os.O_CREAT, wait)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold `path` together with other readers.

    Where the file can be neither opened nor made (a read-only cache in an image), nobody can remove what it guards
    either, and no lock is taken.
    """
    try:
        descriptor = _acquire_shared(path)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        yield
        return
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire_shared(path: Path) -> int:
    try:
        return _acquire(path, fcntl.LOCK_SH, os.O_RDWR | os.O_CREAT, True)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM) or not path.exists():
            raise
        return _acquire(path, fcntl.LOCK_SH, os.O_RDONLY, True)


def _acquire(path: Path, kind: int, flags: int, wait: bool) -> int:
    while True:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, kind, path, wait)
            if _still_there(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the file was removed while we waited: lock the one that is there now


def _lock(descriptor: int, kind: int, path: Path, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise BusyError(f"{path} is in use") from None
        fcntl.flock(descriptor, kind)


def _still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
