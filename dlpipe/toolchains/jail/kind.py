"""The ways to jail a process, best first."""

from __future__ import annotations

from enum import StrEnum


class JailKind(StrEnum):
    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    PLAIN = "plain"

    @property
    def isolates(self) -> bool:
        """Whether network and files are out of reach: the process has its own mounts, at fixed paths."""
        return self is not JailKind.PLAIN
