"""The files of a model: a folder, an archive read without unpacking it to the disk, or the text alone."""

from __future__ import annotations

import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from dlpipe_worker import Refused

GRAPH = "graph.nnef"
QUANTISATION = "graph.quant"
_MOST_BYTES = 8 << 30  # of an archive, unpacked
_MOST_FILES = 100_000
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


class Files:
    """Name, relative to graph.nnef -> bytes."""

    def __init__(self, graph: str, names: set[str], read: Callable[[str], bytes]) -> None:
        self.graph = graph
        self.names = names
        self._read = read

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def read(self, name: str) -> bytes:
        """Raises Refused where there is no such file, or the archive is damaged."""
        if name not in self.names:
            raise Refused(f"the model has no file {name!r}", hint="a variable's label names the .dat file it is in")
        return self._read(name)


def open_files(source: Path, entry: str) -> Files:
    """Raises Refused where there is no graph.nnef, or an archive is damaged or unpacks to more than 8 GiB."""
    path = source / entry
    if path.is_dir():
        return _folder(path, GRAPH)
    with path.open("rb") as file:
        head = file.read(512)
    try:
        if head[:2] == b"PK":
            return _zip(path)
        if head[:2] == b"\x1f\x8b" or head[:3] in (b"BZh", b"\xfd7z") or head[257:262] == b"ustar":
            return _tar(path)
    except _DAMAGED as error:
        raise Refused(f"the archive is damaged: {error or type(error).__name__}") from error
    return _folder(path.parent, path.name)


def _folder(folder: Path, graph: str) -> Files:
    found = sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())
    names = {each.relative_to(folder).as_posix() for each in found}
    if graph not in names:
        raise Refused(f"the folder holds no {graph}")
    return Files(graph, names, lambda name: (folder / name).read_bytes())


def _zip(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        _bounded(each.file_size for each in archive.infolist())
        names = {each.filename: each for each in archive.infolist() if not each.is_dir()}

    def read(name: str) -> bytes:
        with zipfile.ZipFile(path) as archive, archive.open(names[name]) as file:
            return file.read(names[name].file_size + 1)

    return _rooted(set(names), read)


def _tar(path: Path) -> Files:
    """Read once: a compressed tar has no random access. Links and devices are left out."""
    found: dict[str, bytes] = {}
    sizes: list[int] = []
    with path.open("rb") as opened, tarfile.open(fileobj=opened, mode="r:*") as archive:
        for member in archive:
            sizes.append(member.size)
            _bounded(sizes)
            if not member.isreg():
                continue
            file = archive.extractfile(member)
            found[posixpath.normpath(member.name)] = file.read() if file else b""
    return _rooted(set(found), found.__getitem__)


def _bounded(sizes: Iterable[int]) -> None:
    listed = list(sizes)
    if len(listed) > _MOST_FILES or sum(listed) > _MOST_BYTES:
        raise Refused("the archive unpacks to more than a model can be", hint="more than 100 000 files, or than 8 GiB")


def _rooted(names: set[str], read: Callable[[str], bytes]) -> Files:
    """The graph.nnef nearest to the top, and what lies beside and below it."""
    graphs = sorted(
        (each for each in names if posixpath.basename(each) == GRAPH), key=lambda each: (each.count("/"), each)
    )
    if not graphs:
        raise Refused(f"the archive holds no {GRAPH}")
    prefix = graphs[0][: -len(GRAPH)]

    def guarded(name: str) -> bytes:
        try:
            return read(prefix + name)
        except _DAMAGED as error:
            raise Refused(f"{name!r} in the archive is damaged: {error or type(error).__name__}") from error

    return Files(GRAPH, {each[len(prefix) :] for each in names if each.startswith(prefix)}, guarded)
