"""When each record was last used: a journal that a cache hit can afford, folded into the index by gc."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dlpipe.pipeline.store.values import check_digest


class Uses:
    """The caller holds the store's lock: shared to add, exclusive to fold."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, key: str) -> None:
        line = f"{key} {int(time.time())}\n".encode()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def fold(self, into: Callable[[Mapping[str, float]], Mapping[str, float]]) -> dict[str, float]:
        """Hand the newest time of every key to `into`, which keeps them and returns all it knows; start afresh."""
        fresh = self._read()
        known = dict(into(fresh))
        self._path.unlink(missing_ok=True)
        return {key: max(known.get(key, 0.0), fresh.get(key, 0.0)) for key in known.keys() | fresh.keys()}

    def _read(self) -> dict[str, float]:
        try:
            lines = self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        newest: dict[str, float] = {}
        for line in lines:
            key, _, when = line.partition(" ")
            try:
                newest[check_digest(key)] = max(newest.get(key, 0.0), float(when))
            except ValueError:
                continue  # a line cut short by a full disk
        return newest
