"""Watches one worker for as long as it lives: takes its chatter, and ends it when it passes a limit.

A supervisor rather than rlimits, because RLIMIT_NPROC does not bind root and RLIMIT_AS breaks the JVM and qemu, which
reserve address space that they never use.
"""

from __future__ import annotations

import selectors
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlpipe.contracts.call import Limits
from dlpipe.toolchains.chatter import Chatter
from dlpipe.toolchains.jail import Prisoner
from dlpipe.toolchains.jail.tree import usage
from dlpipe.toolchains.outputs import size_below

_INTERVAL = 0.1  # seconds between two looks at memory, processes and CPU time
_DISK_EVERY = 20  # looks between two at the output folder
_THREADS_PER_PROCESS = 16


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that was passed, and what was seen."""

    limit: Literal["memory", "processes", "CPU time", "output size"]
    message: str


class Supervisor(threading.Thread):
    """`breach` is set before the worker is ended for it."""

    def __init__(self, prisoner: Prisoner, chatter: Chatter, out: Path, limits: Limits) -> None:
        super().__init__(name="jail-supervisor", daemon=True)
        self.breach: Breach | None = None
        self._prisoner = prisoner
        self._chatter = chatter
        self._out = out
        self._limits = limits
        self._scratch = ("/tmp", "/dev/shm") if prisoner.kind.isolates else ()  # noqa: S108 - as seen inside
        self._cpu_before = 0.0

    def watch(self, limits: Limits) -> None:
        """From here on `limits` hold; CPU time counts from now."""
        self._cpu_before = usage(self._prisoner.head).cpu_seconds
        self._limits = limits

    def run(self) -> None:
        next_look, looks = time.monotonic() + _INTERVAL, 0
        with selectors.DefaultSelector() as selector:
            for descriptor in self._chatter.descriptors:
                selector.register(descriptor, selectors.EVENT_READ)
            while not self._chatter.ended:
                selector.select(max(0.0, next_look - time.monotonic()))
                self._chatter.pump()
                if time.monotonic() >= next_look:
                    looks += 1
                    self._look(with_disk=looks % _DISK_EVERY == 0)
                    next_look = time.monotonic() + _INTERVAL

    def _look(self, *, with_disk: bool) -> None:
        if self.breach is not None or self._prisoner.process.poll() is not None:
            return
        self.breach = self._measure() or (self._measure_disk() if with_disk else None)
        if self.breach is not None:
            self._prisoner.end()

    def _measure(self) -> Breach | None:
        limits = self._limits
        used = usage(self._prisoner.head, limits.memory, self._scratch)
        if used.memory > limits.memory:
            return Breach("memory", f"used {_size(used.memory)} of memory; the limit is {_size(limits.memory)}")
        if used.processes > limits.processes:
            return Breach("processes", f"started {used.processes} processes; the limit is {limits.processes}")
        if used.threads > limits.processes * _THREADS_PER_PROCESS:
            most = limits.processes * _THREADS_PER_PROCESS
            return Breach("processes", f"started {used.threads} threads; the limit is {most}")
        if used.cpu_seconds - self._cpu_before > limits.cpu_seconds:
            return Breach("CPU time", f"used more than its limit of {limits.cpu_seconds} s of CPU time")
        return None

    def _measure_disk(self) -> Breach | None:
        size, limit = size_below(self._out), self._limits.file_size
        if size <= limit:
            return None
        return Breach("output size", f"wrote {_size(size)} into its output folder; the limit is {_size(limit)}")


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"
