"""The working folder of a run: claimed while the run lives, swept by the next one when the run was killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlpipe.toolchains.gc import remove_tree
from dlpipe.toolchains.locking import BusyError, exclusive

_LOCK = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the lock beside `folder`, after everything beside it that no living run holds is removed.

    The workers of a killed run end with it, so nothing writes there any more. Raises OSError when the place cannot be
    written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(folder.name + _LOCK)
    with exclusive(lock):
        _sweep(folder.parent)
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()


def _sweep(root: Path) -> None:
    for name in {entry.name.removesuffix(_LOCK) for entry in root.iterdir()}:
        lock = root / (name + _LOCK)
        with suppress(BusyError, OSError), exclusive(lock, wait=False):
            remove_tree(root / name)
            lock.unlink()
