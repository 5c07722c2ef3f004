"""Programs of an unpacked Debian root, run on this machine with the C library that they came with."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
_POLL = 0.2
_TAIL = 4000  # of what a program said, that is kept for its error


class TooLong(Exception):
    """It used up the processor time that it was given, in seconds."""

    def __init__(self, program: str, seconds: int) -> None:
        super().__init__(f"{program} was not done within {seconds} s of processor time")


class Failed(Exception):
    """It ended with an error; the message is the last of what it said."""


@dataclass(frozen=True)
class Root:
    """`folder` as `request.resources` names it."""

    folder: Path

    @property
    def loader(self) -> Path:
        return next(self.folder / lib / "ld-linux-x86-64.so.2" for lib in _LIBRARIES if (self.folder / lib).is_dir())

    def command(self, program: str, loader: Path | None = None) -> list[str]:
        """How `usr/bin/<program>` is started. `loader`: a copy of the root's, for programs that ask where they are."""
        libraries = ":".join(str(self.folder / lib) for lib in _LIBRARIES)
        return [str(loader or self.loader), "--library-path", libraries, str(self.folder / "usr/bin" / program)]


@dataclass
class Run:
    """said: the end of standard output and error together. seconds: of the processor."""

    said: str
    seconds: float = field(default=0.0)


def run(
    command: Sequence[str],
    folder: Path,
    *,
    name: str,
    seconds: int | None = None,
    environment: Mapping[str, str] | None = None,
    waiting: Callable[[float], object] = bool,
) -> Run:
    """Run it in `folder`. seconds: of processor time, so that a busy machine fails nothing. waiting: called with the
    share of that time that has passed on the clock, at most 1. Raises TooLong, or Failed with its last words.
    """
    log = folder / f"{name}.log"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=_limit(seconds),
        )
        while process.poll() is None:
            time.sleep(_POLL)
            if seconds:
                waiting(min(1.0, (time.monotonic() - started) / seconds))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
    if process.returncode:
        if seconds and process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            raise TooLong(name, seconds)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        wrong = [line for line in lines if "error" in line.lower()]
        raise Failed(f"{name} ended with status {process.returncode}: {(wrong or lines or ['it said nothing'])[-1]}")
    return Run(said, spent)


def _limit(seconds: int | None) -> Callable[[], None] | None:
    """Of a process and, each for itself, of those that it starts."""
    if seconds is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
