"""Laying a tree out as a folder again: for a worker (links allowed), or for the user (never)."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from dlpipe.pipeline.store.disk import content_time, copy_checked, hash_file
from dlpipe.pipeline.store.values import File, Tree

_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.EACCES)


class DamagedObjectError(Exception):
    """A copy of an object did not have the object's hash."""

    def __init__(self, sha256: str) -> None:
        super().__init__(sha256)
        self.sha256 = sha256


def for_worker(
    tree: Tree, folder: Path, source: Callable[[str], Path], *, link: bool, known: Callable[[File], bool]
) -> None:
    """Fill `folder` (made if need be). Files are read-only and carry their object's time, however they got there.

    With `link` they are the store's own inodes: only for readers whose mount is read-only. An executable is always
    copied, because links share one mode. What is linked is hashed unless it is `known` to be whole: a worker that
    reads lost bits makes a wrong artefact under the right key. Raises DamagedObjectError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in tree.files:
        target = _place(folder, file)
        if link and not file.executable and _link(source(file.sha256), target):
            if not known(file) and hash_file(target) != file.sha256:
                raise DamagedObjectError(file.sha256)
            continue
        _copy(file, source(file.sha256), target, 0o555 if file.executable else 0o444)
        os.utime(target, ns=(content_time(file.sha256),) * 2)


def for_user(tree: Tree, folder: Path, source: Callable[[str], Path]) -> None:
    """A folder of plain copies the user may edit, complete or not there. What stood there before is replaced.

    Raises DamagedObjectError, OSError; then the target is as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    try:
        fresh.mkdir()
        for file in tree.files:
            _copy(file, source(file.sha256), _place(fresh, file), 0o777 if file.executable else 0o666)
        replace(fresh, folder)
    finally:
        remove(fresh)


def file_for_user(file: File, path: Path, source: Callable[[str], Path]) -> None:
    """One file of a tree, as `for_user`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _copy(file, source(file.sha256), fresh, 0o777 if file.executable else 0o666)
        replace(fresh, path)
    finally:
        remove(fresh)


def replace(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target`; afterwards `fresh` is the old one, if any."""
    if not os.path.lexists(target):
        fresh.rename(target)
    elif not _exchange(fresh, target):
        old = fresh.with_name(fresh.name + ".old")
        target.rename(old)
        fresh.rename(target)
        old.rename(fresh)


def remove(path: Path) -> None:
    """A file, link or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _place(folder: Path, file: File) -> Path:
    target = folder / file.name
    if "/" in file.name:
        target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _copy(file: File, source: Path, target: Path, mode: int) -> None:
    if copy_checked(source, target, mode) != file.sha256:
        raise DamagedObjectError(file.sha256)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step. False where the C library or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
