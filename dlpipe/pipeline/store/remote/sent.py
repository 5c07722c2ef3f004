"""Which records this machine knows to be in the shared store, so that a hit costs no question more than twice a day."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from dlpipe.pipeline.store.values import check_digest

ASK_AGAIN_SECONDS = 43200.0  # meanwhile no gc takes away what was asked for (gc.py)


class Sent:
    """A journal: a key and the time each line, or a key with a `-` before it where it is not there after all. Losing it
    costs questions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, float] | None = None

    def __contains__(self, key: str) -> bool:
        return abs(time.time() - self._known().get(key, 0.0)) < ASK_AGAIN_SECONDS

    def add(self, key: str) -> None:
        if key not in self:
            self._known()[key] = now = time.time()
            self._append(f"{key} {now:.0f}")

    def forget(self, key: str) -> None:
        if self._known().pop(key, None) is not None:
            self._append(f"-{key}")

    def _known(self) -> dict[str, float]:
        if self._keys is None:
            found: dict[str, float] = {}
            with suppress(FileNotFoundError):
                for line in self._path.read_text(encoding="ascii", errors="replace").splitlines():
                    with suppress(ValueError):  # a line cut short by a full disk, or an older journal's, without a time
                        name, _, when = line.partition(" ")
                        key = check_digest(name.removeprefix("-"))
                        found[key] = 0.0 if name.startswith("-") else float(when)
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
