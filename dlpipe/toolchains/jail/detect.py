"""Which kind of jail works on this machine: tried, not guessed."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from dlpipe.toolchains.jail import bubblewrap
from dlpipe.toolchains.jail.cell import Cell
from dlpipe.toolchains.jail.kind import JailKind
from dlpipe.toolchains.jail.prisoner import Prisoner
from dlpipe.toolchains.jail.system import programs

_TRIAL_SECONDS = 20.0
_SCRATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class Trial:
    kind: JailKind
    works: bool
    reason: str | None  # why not


@functools.cache
def attempt(kind: JailKind) -> Trial:
    """Run `true` in a cell of that kind. Cached for the process."""
    if kind is JailKind.PLAIN:
        return Trial(kind, True, None)
    if kind is JailKind.BUBBLEWRAP and bubblewrap.program() is None:
        return Trial(kind, False, "bwrap is not installed")
    program = shutil.which("true") or "/bin/true"
    mounts, links = programs()
    cell = Cell((program,), {}, readonly=tuple(mounts), links=tuple(links), scratch_bytes=_SCRATCH)
    with tempfile.TemporaryFile() as chatter, tempfile.TemporaryDirectory() as empty:
        try:
            prisoner = Prisoner.start(kind, cell, chatter=chatter.fileno(), empty=Path(empty))
            status = prisoner.wait(_TRIAL_SECONDS)
            prisoner.end()
            reason = None if status == 0 else f"exit status {status}"
        except OSError as error:
            reason = str(error)
        chatter.seek(0)
        said = chatter.read(4096).decode(errors="replace").strip()
    return Trial(kind, reason is None, f"{reason}: {said}" if reason and said else reason)


def detect() -> JailKind:
    """The best kind that works here."""
    return next(kind for kind in JailKind if attempt(kind).works)


def remedy() -> str:
    """How to get a real jail on this machine."""
    if bubblewrap.program() is None:
        return "install bubblewrap (apt-get install bubblewrap)"
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):  # noqa: PTH110 - two names, no paths to keep
        return "allow user namespaces in this container (docker run --security-opt seccomp=unconfined ...)"
    return "allow unprivileged user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0)"


class Description(TypedDict):
    """kind: that in use. tried: what each kind said. missing: what is not isolated. remedy: what to do."""

    kind: str
    isolated: bool
    tried: dict[str, str]
    missing: list[str]
    remedy: str | None


def describe() -> Description:
    """For `dlpipe doctor`."""
    best = detect()
    return {
        "kind": best.value,
        "isolated": best.isolates,
        "tried": {kind.value: attempt(kind).reason or "works" for kind in JailKind},
        "missing": [] if best.isolates else ["network isolation", "file isolation", "user isolation"],
        "remedy": None if best.isolates else remedy(),
    }
