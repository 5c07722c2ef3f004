"""What travels between the process that runs a plan and the node that computes a stage of it.

The store is not part of it: both sides have it, as a folder or by a bucket, and name what lies there by its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError
from dlpipe.pipeline.stage import Kind, Stage
from dlpipe.pipeline.store import Store

_PACKAGE = Path(__file__).parents[2]  # the folder of dlpipe itself


@dataclass(frozen=True, slots=True)
class Code:
    """A worker file, or the folder of a library: below dlpipe's own folder, or below a tree of the store."""

    path: str
    tree: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A stage whose inputs are known. `parts` and `key`: see `key_parts`. `isolate`: whether a node must have a real
    jail. Where `bucket`, a URL, is what the machines share, each has a cache of its own; else they share `cache`."""

    dlpipe: str
    run: str
    bucket: str | None
    cache: Path
    offline: bool
    isolate: bool
    id: str
    kind: Kind
    call: Call  # its paths mean nothing elsewhere: `worker` and `libraries` stand for them
    worker: Code
    libraries: tuple[Code, ...]
    parts: Mapping[str, Any]
    key: str

    def stage(self, unpack: Callable[[Code], Path]) -> Stage:
        """As it is to be executed here; its inputs are in `parts`."""
        libraries = tuple(unpack(each) for each in self.libraries)
        call = replace(self.call, worker=unpack(self.worker), libraries=libraries)
        return Stage(self.id, self.kind, call, {name: f"tree:{tree}" for name, tree in self.parts["inputs"].items()})

    def trees(self) -> set[str]:
        """What the other side will ask the store for."""
        sent = {code.tree for code in (self.worker, *self.libraries) if code.tree is not None}
        return {*self.parts["inputs"].values(), *sent}


@dataclass(frozen=True, slots=True)
class Began:
    """The first word from a node, which is named."""

    node: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last word: the record is in the store, or this went wrong."""

    error: DlpipeError | None = None


def pack(path: Path, store: Store) -> Code:
    """Code that is not dlpipe's own goes into the store."""
    if path.is_relative_to(_PACKAGE):
        return Code(path.relative_to(_PACKAGE).as_posix())
    room = path if path.is_dir() else path.parent
    files = {
        f"{room.name}/{file.relative_to(room).as_posix()}": file
        for file in sorted(room.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    return Code(path.relative_to(room.parent).as_posix(), store.ingest_files(files).digest)


def unpack(code: Code, store: Store, scratch: Path) -> Path:
    """The same file or folder on this machine; what comes out of the store is laid out below `scratch`."""
    if code.tree is None:
        return _PACKAGE / code.path
    folder = scratch / code.tree
    if not folder.exists():
        store.checkout(code.tree, folder, link=False)
    return folder / code.path
