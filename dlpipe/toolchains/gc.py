"""Removing environments that nobody will ask for again, and what killed installations left behind."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dlpipe.toolchains.locking import BusyError, exclusive

_OURS = re.compile(r"\.?(?P<folder>[a-z0-9-]+-[0-9a-f]{16})(\.lock|\.(tmp|old)\..+)?")


@dataclass(frozen=True, slots=True)
class Collected:
    """`removed` and `in_use` are folder names, `freed` bytes on disk."""

    freed: int = 0
    removed: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()


def collect(root: Path, keep: Set[str]) -> Collected:
    """Remove from `root` every environment not in `keep` (folder names), and all debris. Spares what is in use."""
    if not root.is_dir():
        return Collected()
    names = {match["folder"] for entry in root.iterdir() if (match := _OURS.fullmatch(entry.name))}
    freed, removed, in_use = 0, [], []
    for name in sorted(names):
        folder = root / name
        lock = root / f"{name}.lock"
        try:
            with exclusive(lock, wait=False):
                freed += remove_debris(folder, also_whole=name not in keep)
                if name not in keep:
                    removed.append(name)
                    lock.unlink()
        except BusyError:
            in_use.append(name)
    return Collected(freed, tuple(removed), tuple(in_use))


def remove_debris(folder: Path, *, also_whole: bool = True) -> int:
    """Under the exclusive lock of `folder`: remove its temporary siblings, and itself with `also_whole`.

    A whole environment first loses its name, so that nobody ever sees half of it. Returns the bytes freed.
    """
    if also_whole and folder.exists():
        folder.rename(Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent)) / "env")
    prefixes = (f".{folder.name}.tmp.", f".{folder.name}.old.")
    return sum(remove_tree(entry) for entry in folder.parent.iterdir() if entry.name.startswith(prefixes))


def remove_tree(folder: Path) -> int:
    """Remove `folder`, read-only parts included. Returns the bytes that were only there (hard links count nothing)."""
    freed = disk_size(folder, exclusive_only=True)
    for where, subfolders, _files in os.walk(folder):
        for path in (Path(where), *(Path(where, name) for name in subfolders)):
            with suppress(OSError):  # the orphan of a killed installation may still be at work there
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
    return freed


def disk_size(folder: Path, *, exclusive_only: bool = False) -> int:
    """Bytes on disk below `folder`; with `exclusive_only` without files that have a further name elsewhere."""
    total = 0
    for where, _subfolders, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):
                status = Path(where, name).lstat()
                if not (exclusive_only and status.st_nlink > 1):
                    total += status.st_blocks * 512
    return total
