"""An installed toolchain."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.locking import shared

COMPLETE = "complete.json"  # written last, inside the folder, before it gets its final name


@dataclass(frozen=True, slots=True)
class Environment:
    """`python` is the interpreter to start workers with (None for a resource, such as an emulator or a foreign root).

    `visible` are the folders that must be seen, read-only, by a process in a jail that uses it: its own and those of
    the interpreter that a virtual environment borrows. `versions` maps package -> version.
    """

    name: str
    digest: str
    root: Path
    python: Path | None
    visible: tuple[Path, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def lock_path(self) -> Path:
        return self.root.with_name(self.root.name + ".lock")

    def works(self) -> bool:
        """False when it was removed, or when the interpreter that it borrows was."""
        if not (self.root / COMPLETE).is_file():
            return False
        return self.python is None or os.access(self.python, os.X_OK)

    @contextmanager
    def hold(self) -> Iterator[Environment]:
        """Keep `gc` from removing it. Raises ToolMissing if it went away before."""
        with shared(self.lock_path):
            if not self.works():
                raise ToolMissing(
                    f"the {self.name} toolchain was removed while it was about to be used",
                    hint="run the same command again",
                    toolchain=self.name,
                )
            yield self


def write_complete(
    folder: Path, name: str, digest: str, python: str | None, visible: tuple[str, ...], versions: Mapping[str, str]
) -> None:
    """Record that `folder` (still under its temporary name) is whole. `python` is relative to it."""
    record = {
        "name": name,
        "digest": digest,
        "python": python,
        "visible": list(visible),
        "versions": dict(sorted(versions.items())),
    }
    with (folder / COMPLETE).open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def read_complete(root: Path) -> Environment | None:
    """The environment in `root`, or None where there is none (or its record is damaged, which means the same)."""
    try:
        record = json.loads((root / COMPLETE).read_text(encoding="utf-8"))
        return Environment(
            name=record["name"],
            digest=record["digest"],
            root=root,
            python=root / record["python"] if record["python"] else None,
            visible=(root, *(Path(folder) for folder in record["visible"])),
            versions=record["versions"],
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
