"""Folders that a worker has written, or still writes, looked at by the host: nothing in them is to be trusted."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dlpipe.errors import StageFailed

_MAX_FILES = 200_000


def check_outputs(folder: Path, limit: int) -> int:
    """Refuse what an artefact cannot hold; return the size of all files in bytes.

    Raises StageFailed for symbolic links, devices, sockets and pipes, files that have a further name outside of
    `folder`, names with control characters or that are not UTF-8, and for more than `limit` bytes or 200,000 files.
    """
    total = 0
    names: Counter[tuple[int, int]] = Counter()  # (device, inode) of the files that have several names
    expected: dict[tuple[int, int], int] = {}
    for count, (path, status) in enumerate(_walk(folder), 1):
        shown = ascii(str(path.relative_to(folder)))
        if count > _MAX_FILES:
            raise StageFailed(f"the tool wrote more than {_MAX_FILES} files")
        if not _is_plain(path.name):
            raise StageFailed(f"the tool wrote a file with a name that cannot be kept: {shown}")
        if stat.S_ISREG(status.st_mode):
            if status.st_nlink > 1:
                identity = (status.st_dev, status.st_ino)
                names[identity] += 1
                expected[identity] = status.st_nlink
            total += status.st_size
        elif not stat.S_ISDIR(status.st_mode):
            raise StageFailed(f"the tool wrote {_what(status.st_mode)}, which no artefact may hold: {shown}")
    if any(expected[identity] != seen for identity, seen in names.items()):
        raise StageFailed("the tool wrote a hard link to a file outside of its output folder")
    if total > limit:
        raise StageFailed(f"the tool wrote {total} bytes; the limit is {limit}")
    return total


def size_below(folder: Path) -> int:
    """Bytes on disk below `folder`, which may change while it is walked."""
    return sum(status.st_blocks * 512 for _, status in _walk(folder) if stat.S_ISREG(status.st_mode))


def digests_below(folder: Path) -> dict[str, str]:
    """SHA-256 of each regular file below `folder`, by relative path, sorted."""
    found: dict[str, str] = {}
    for path, status in _walk(folder):
        if stat.S_ISREG(status.st_mode):
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return dict(sorted(found.items()))


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below `folder`, links not followed."""
    stack = [folder]
    while stack:
        try:
            entries = sorted(os.scandir(stack.pop()), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            raise StageFailed("the tool wrote a folder that cannot be read") from error
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield Path(entry.path), status
            if stat.S_ISDIR(status.st_mode):
                stack.append(Path(entry.path))


def _is_plain(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def _what(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "a device")
