"""Small stores and folders for the tests of the store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.json import digest
from dlpipe.pipeline.store import Record, Tree

FILES = {"model.onnx": b"weights" * 1000, "labels.txt": b"yes\nno\n", "deep/er/empty": b""}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    folder.mkdir(exist_ok=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def record(tree: Tree | None, value: Any = None, log: str | None = None, **parts: Any) -> Record:
    return Record(
        key=digest(parts),
        parts=parts,
        output=tree.digest if tree else None,
        value=value,
        notes=({"level": "info", "message": "a note"},),
        seconds=1.5,
        created="2026-11-23T12:00:00+00:00",
        log=log,
        tools={"python": "3.11"},
    )


def overwrite(path: Path, content: bytes) -> None:
    """What a broken program or disk does: the permissions do not stop it."""
    path.chmod(0o644)
    path.write_bytes(content)


def objects(root: Path) -> list[Path]:
    return sorted(path for path in (root / "objects").rglob("*") if path.is_file())


def keep_times(path: Path, content: bytes) -> None:
    """Damage that leaves the time stamp as it was: a disk that lost bits."""
    times = path.stat()
    overwrite(path, content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
