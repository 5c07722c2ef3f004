"""What a jailed process sees and is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRATCH_BYTES = 4 << 30  # each of /tmp and /dev/shm; what lies there counts as memory of the process
USER = 1000  # user and group id inside, whatever they are outside: no tool behaves as it would for root


@dataclass(frozen=True, slots=True)
class Cell:
    """A process to be: `argv` and `environ` in the words of the inside, mounts as (outside, inside).

    `links` are symbolic links (text, inside path). `descriptors` are inherited as they are. `working` is the folder
    that it starts in: /tmp, which it has for itself, unless the kind of jail has no mounts of its own.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    readonly: tuple[tuple[Path, str], ...] = ()
    writable: tuple[tuple[Path, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    descriptors: tuple[int, ...] = ()
    devices: tuple[Path, ...] = ()  # device files, seen under their own paths
    working: str = "/tmp"  # noqa: S108 - a tmpfs of the jail
    scratch_bytes: int = field(default=SCRATCH_BYTES)

    def mounts(self) -> list[tuple[Path, str, bool]]:
        """(outside, inside, writable), parents before what lies below them."""
        both = [(*pair, False) for pair in self.readonly] + [(*pair, True) for pair in self.writable]
        return sorted(both, key=lambda mount: (mount[1].rstrip("/").count("/"), mount[1]))
