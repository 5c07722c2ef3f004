"""Reading a folder that somebody else wrote, and may still be writing: a user's model, or a worker's output.

Every file is opened component by component below the root without following links, so nothing outside is ever read,
even when a name is exchanged for a link at the worst moment.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlpipe.errors import BadModel, UserError

_DEEPEST = 100  # levels of folders
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not make us wait


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to be taken: under which name, and where below `root` it really stands (links resolved)."""

    name: str
    root: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        return self.root.joinpath(*self.parts)


def entries(path: Path) -> list[Entry]:
    """The file, or all files below the folder, sorted by name.

    Raises BadModel on links that leave the folder or run in circles, devices, sockets and names that are not UTF-8;
    UserError on what does not exist or cannot be read.
    """
    if not path.exists():
        raise UserError(f"there is no {path}")
    root = path.resolve()
    if not root.is_dir():
        return [Entry(path.name, root.parent, (root.name,))]
    try:
        return sorted(_walk(root, (), "", (root,)), key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(error, error.filename or path) from error


@contextmanager
def opened(entry: Entry) -> Iterator[tuple[int, os.stat_result]]:
    """A descriptor for reading, and what it is. Raises BadModel unless it is a regular file."""
    try:
        descriptor = _open(entry.root, entry.parts, _FILE)
    except OSError as error:
        raise _unreadable(error, entry.name) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadModel(f"{entry.name} is not a regular file")
        yield descriptor, status
    finally:
        os.close(descriptor)


def _walk(root: Path, parts: tuple[str, ...], prefix: str, above: tuple[Path, ...]) -> Iterator[Entry]:
    if len(above) > _DEEPEST:
        raise BadModel(f"more than {_DEEPEST} folders inside each other: {prefix[:60]}...")
    descriptor = _open(root, parts, _FOLDER)
    try:
        found = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in os.scandir(descriptor)]
    finally:
        os.close(descriptor)
    for name, mode in found:
        shown, here = prefix + name, (*parts, name)
        _check_name(shown)
        if stat.S_ISLNK(mode):
            here = _resolve(root, here, shown)
            mode = root.joinpath(*here).lstat().st_mode
        if stat.S_ISDIR(mode):
            real = root.joinpath(*here)
            if real in above:
                raise BadModel(f"the symbolic link {shown} leads back to a folder it stands in")
            yield from _walk(root, here, shown + "/", (*above, real))
        elif stat.S_ISREG(mode):
            yield Entry(shown, root, here)
        else:
            raise BadModel(f"{shown} is a device, a socket or a pipe")


def _resolve(root: Path, parts: tuple[str, ...], shown: str) -> tuple[str, ...]:
    try:
        return root.joinpath(*parts).resolve(strict=True).relative_to(root).parts
    except ValueError:
        hint = "copy the folder with `cp -rL`, which puts the files in the place of the links"
        raise BadModel(f"the symbolic link {shown} leaves the folder", hint=hint) from None
    except (OSError, RuntimeError):
        raise BadModel(f"the symbolic link {shown} leads nowhere") from None


def _open(root: Path, parts: tuple[str, ...], flags: int) -> int:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        try:
            inner = os.open(part, flags if last else _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadModel(f"a file name is not UTF-8: {os.fsencode(name)!r}") from None


def _unreadable(error: OSError, name: object) -> UserError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
        return BadModel(f"{name} is not a regular file, or was exchanged while it was read")
    return UserError(f"cannot read {name}: {error.strerror}")
