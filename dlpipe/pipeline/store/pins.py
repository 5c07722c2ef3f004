"""What running processes need: each live run keeps a locked file that names the records and trees it has touched."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal


class Pins:
    """The caller holds the store's lock: shared to make and extend pins, exclusive to read them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[int] = []

    def open(self, run_id: str) -> tuple[int, Path]:
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in run_id)[:80]
        path = self._folder / f"{safe}.{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._held.append(descriptor)
        return descriptor, path

    def close(self, descriptor: int, path: Path) -> None:
        self._held.remove(descriptor)
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)

    def add(self, kind: Literal["record", "tree"], name: str) -> None:
        """To all pins that this process holds. Raises OSError: what cannot be pinned may vanish."""
        line = f"{kind} {name}\n".encode()
        for descriptor in tuple(self._held):
            os.write(descriptor, line)

    def live(self) -> tuple[set[str], set[str]]:
        """Keys and tree digests pinned by processes that are alive. Pins of dead ones are removed."""
        names: dict[str, set[str]] = {"record": set(), "tree": set()}
        for path in self._folder.iterdir():
            with _locked_if_dead(path) as dead:
                if dead:
                    path.unlink(missing_ok=True)
                    continue
                for line in path.read_text(encoding="ascii", errors="replace").splitlines():
                    kind, _, name = line.partition(" ")
                    names.setdefault(kind, set()).add(name)
        return names["record"], names["tree"]


@contextmanager
def _locked_if_dead(path: Path) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
