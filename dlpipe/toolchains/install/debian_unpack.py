"""Unpack a Debian package without dpkg and without root, so that nothing in the tree leads out of it."""

from __future__ import annotations

import io
import posixpath
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dlpipe.errors import ToolMissing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MERGED = ("bin", "sbin", "lib")  # Debian's merged /usr: these are links into usr/


def unpack(package: Path, into: Path, keep: Sequence[str] = ("*",), drop: Sequence[str] = ()) -> None:
    """Extract the files of a .deb whose path matches a pattern of `keep` and none of `drop` (`*` crosses slashes).

    Absolute links become relative ones, /bin, /sbin and /lib land under usr/. Owners, special modes and devices are
    left out. Raises ToolMissing when the package is not what Debian's archive holds (an ar of tars, gzip or xz).
    """
    with package.open("rb") as file:
        for name, size in _members(file, package.name):
            if name.startswith("data.tar"):
                if name not in ("data.tar", "data.tar.gz", "data.tar.xz"):
                    raise ToolMissing(f"{package.name}: {name} is in a compression this Python cannot read")
                _extract(io.BufferedReader(_Window(file, size)), into, keep, drop)
                return
    raise ToolMissing(f"{package.name} holds no data.tar: it is no Debian package")


def link_merged(root: Path) -> None:
    """bin, sbin and lib as links to usr/..., where usr/ has them."""
    for name in _MERGED:
        if (root / "usr" / name).is_dir() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def _members(file: BinaryIO, title: str) -> Iterator[tuple[str, int]]:
    """Name and size of each member of an ar archive; the file stands at the member's data (format: deb(5), ar(5))."""
    if file.read(8) != b"!<arch>\n":
        raise ToolMissing(f"{title} is no Debian package (it does not begin as an ar archive)")
    while header := file.read(60):
        if len(header) < 60 or header[58:] != b"`\n":
            raise ToolMissing(f"{title} is damaged: an ar header is broken")
        size, start = int(header[48:58]), file.tell()
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), size
        file.seek(start + size + size % 2)


class _Window(io.RawIOBase):
    """The next `size` bytes of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._file.read(min(len(view), self._left))
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)


def _extract(stream: io.BufferedReader, into: Path, keep: Sequence[str], drop: Sequence[str]) -> None:
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            path = _inside(member.name)
            if path is None or not any(fnmatchcase(path, pattern) for pattern in keep):
                continue
            if any(fnmatchcase(path, pattern) for pattern in drop):
                continue
            _write(archive, member, path, into)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, into: Path) -> None:
    target = into / path
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    if not (member.isfile() or member.issym() or member.islnk()):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if member.issym():
        target.symlink_to(relative_link(path, member.linkname))
    elif member.islnk():
        linked = _inside(member.linkname)
        if linked is None or not (into / linked).is_file():
            raise ToolMissing(f"{path} is a hard link to {member.linkname}, which is not in the package")
        target.hardlink_to(into / linked)
    else:
        data = archive.extractfile(member)
        assert data is not None  # it is a regular file
        with target.open("wb") as out:
            shutil.copyfileobj(data, out)
        target.chmod(0o755 if member.mode & 0o111 else 0o644)


def relative_link(path: str, linkname: str) -> str:
    """The link's text so that it means inside the tree what it means in a real root, and never more than that."""
    folder = posixpath.dirname(path)
    meant = linkname if linkname.startswith("/") else posixpath.join("/", folder, linkname)
    inside = _inside(posixpath.normpath(meant))  # normpath keeps an absolute path's `..` at the root
    return posixpath.relpath(inside or ".", folder or ".")


def _inside(name: str) -> str | None:
    """A path below the tree with /bin, /sbin and /lib moved under usr/; None for the root itself."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ToolMissing(f"the package holds a path that leads out of it: {name}")
    if parts and parts[0] in _MERGED:
        parts.insert(0, "usr")
    return "/".join(parts) or None
