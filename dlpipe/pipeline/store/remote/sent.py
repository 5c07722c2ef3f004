"""Which records this machine knows to be in the shared store, so that a hit costs no question."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dlpipe.pipeline.store.values import check_digest


class Sent:
    """A journal: a key each line, with a `-` before it where it is not there after all. Losing it costs questions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: set[str] | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._known()

    def add(self, key: str) -> None:
        if key not in self._known():
            self._known().add(key)
            self._append(key)

    def forget(self, key: str) -> None:
        if key in self._known():
            self._known().discard(key)
            self._append(f"-{key}")

    def _known(self) -> set[str]:
        if self._keys is None:
            found: set[str] = set()
            with suppress(FileNotFoundError):
                for line in self._path.read_text(encoding="ascii", errors="replace").splitlines():
                    with suppress(ValueError):  # a line cut short by a full disk
                        key = check_digest(line.removeprefix("-"))
                        (found.discard if line.startswith("-") else found.add)(key)
            self._keys = found
        return self._keys

    def _append(self, line: str) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, f"{line}\n".encode())
            finally:
                os.close(descriptor)
