"""Files written so that a crash, at any instruction, leaves either the whole file under its name or none."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlpipe.errors import DiskTrouble

HIDDEN = ".dlpipe-"  # begins the name of what goes when the work is done
_BLOCK = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of two files until one of them is written
_UNUSABLE = frozenset(
    {errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EBUSY}
    | {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_time(sha256: str) -> int:
    """The modification time (nanoseconds) that an object carries as long as nobody wrote to it.

    It is derived from the digest, so a write is noticed without an index: the kernel sets another time. Between 2000
    and 2008, in whole even seconds, which every file system can hold.
    """
    return (946_684_800 + 2 * (int(sha256[:8], 16) >> 5)) * 10**9


@contextmanager
def writing(place: Path, what: str = "the cache") -> Iterator[None]:
    """Turn what a disk can do wrong while `place` is written into DiskTrouble."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"free some space on the disk of {_known(place)}"
            if what == "the cache":
                hint += ": `dlpipe cache gc` removes what was not used for long; DLPIPE_CACHE_DIR chooses another disk"
            raise DiskTrouble(f"{what}'s disk is full", hint=hint) from error
        if error.errno in _UNUSABLE:
            hint = f"look at the disk and the permissions of {_known(place)}"
            raise DiskTrouble(f"cannot use {what}: {os.strerror(error.errno)}", hint=hint) from error
        raise


def _known(place: Path) -> Path:
    """A place that the user knows: an output folder has another name until it is complete."""
    hidden = next((each for each in place.absolute().parents if each.name.startswith(HIDDEN)), None)
    return hidden.parent if hidden else place


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """A fresh name in `folder`. Whatever stands there when the block ends is removed."""
    path = folder / secrets.token_hex(16)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def write_durably(path: Path, data: bytes, mode: int = 0o444) -> None:
    """Make a new file that is on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, data)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, data: bytes, part: Path | None = None) -> None:
    """Put a file in the place of whatever stands there: the whole of it, on the disk, or none. part: the name beside it
    that it has until then, and that a process which is killed meanwhile leaves; None: one that nobody else has."""
    part = part or path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    part.unlink(missing_ok=True)
    try:
        write_durably(part, data, 0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def copy_durably(source: int, path: Path) -> tuple[str, int]:
    """Copy an open file into a new, read-only one, on the disk when this returns.

    Returns SHA-256 and size of what was written, whatever happened to the source meanwhile. The blocks are shared
    where the file system can; the source's inode never is, because its owner may still have it open.
    """
    target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        sha256, size = _hash(target) if _clone(source, target) else _pump(source, target)
        os.fchmod(target, 0o444)
        os.utime(target, ns=(content_time(sha256),) * 2)
        os.fsync(target)
    finally:
        os.close(target)
    return sha256, size


def copy_checked(source: Path, path: Path, mode: int) -> str:
    """Copy a file to a new one (blocks shared where possible) and return the SHA-256 of the copy. Raises OSError."""
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            return (_hash(target) if _clone(reading, target) else _pump(reading, target))[0]
        finally:
            os.close(target)
    finally:
        os.close(reading)


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        return False  # not this file system, or not across two of them
    return True


def _pump(source: int, target: int) -> tuple[str, int]:
    total, size = hashlib.sha256(), 0
    while block := os.read(source, _BLOCK):
        total.update(block)
        size += len(block)
        _write_all(target, block)
    return total.hexdigest(), size


def _hash(descriptor: int) -> tuple[str, int]:
    total, size = hashlib.sha256(), 0
    while block := os.pread(descriptor, _BLOCK, size):
        total.update(block)
        size += len(block)
    return total.hexdigest(), size


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
