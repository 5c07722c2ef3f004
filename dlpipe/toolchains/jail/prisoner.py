"""One jailed process, from start to end."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dlpipe.toolchains.jail import bubblewrap, launcher
from dlpipe.toolchains.jail.cell import Cell
from dlpipe.toolchains.jail.kind import JailKind

_START_SECONDS = 20.0
_GRACE_SECONDS = 5.0

# A parent-death signal is sent when the *thread* that started the child ends, so all are started by one that stays.
_starter = ThreadPoolExecutor(1, thread_name_prefix="jail")


class Prisoner:
    """A running cell. `head` is the process under which all of it hangs, as the host numbers processes."""

    def __init__(self, kind: JailKind, process: subprocess.Popen[bytes], head: int) -> None:
        self.kind = kind
        self.process = process
        self.head = head

    @classmethod
    def start(cls, kind: JailKind, cell: Cell, *, chatter: int, empty: Path) -> Prisoner:
        """Start `cell`. `chatter` is the descriptor for its standard output and error, `empty` an empty folder.

        Raises OSError if it cannot be set up; what the jail's program said about it lies in the chatter.
        """
        started: Future[subprocess.Popen[bytes]]
        info_read, info_write = os.pipe()
        with tempfile.TemporaryFile() as spec:
            try:
                spec.write(_specification(kind, cell, info_write, empty))
                spec.flush()
                os.lseek(spec.fileno(), 0, os.SEEK_SET)
                spawn = _spawner(kind, cell, spec.fileno(), info_write, chatter)
                started = _starter.submit(spawn)
                process = started.result()
            except BaseException:
                os.close(info_read)
                raise
            finally:
                os.close(info_write)
        try:
            head = _read_head(info_read, process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            os.close(info_read)
        return cls(kind, process, head)

    def status(self) -> int | None:
        """None while it runs; else the worker's exit status, or minus the signal that ended it."""
        code = self.process.poll()
        return 128 - code if code is not None and code > 128 else code

    def wait(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.status()

    def end(self) -> None:
        """End all of it, now, and return when it is gone. May be called twice, and from any thread."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                # The first process of a namespace takes all others with it; the plain launcher ends its descendants.
                os.kill(self.head, signal.SIGKILL if self.kind.isolates else signal.SIGTERM)
        try:
            self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _specification(kind: JailKind, cell: Cell, info: int, empty: Path) -> bytes:
    if kind is JailKind.BUBBLEWRAP:
        return b"\0".join(os.fsencode(argument) for argument in bubblewrap.arguments(cell, info)) + b"\0"
    return launcher.namespaces(cell, empty) if kind is JailKind.NAMESPACES else launcher.plain(cell)


def _spawner(kind: JailKind, cell: Cell, spec: int, info: int, chatter: int) -> Callable[[], subprocess.Popen[bytes]]:
    if kind is JailKind.BUBBLEWRAP:
        command = [bubblewrap.program() or "bwrap", "--args", str(spec), "--", *cell.argv]
    else:
        command = launcher.command(spec, info)
    return lambda: subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=chatter,
        stderr=chatter,
        # Bubblewrap's own process 1 can be looked at from inside: it must not carry the host's environment either.
        env=dict(cell.environ),
        cwd="/",
        pass_fds=(spec, info, *cell.descriptors),
        start_new_session=True,
    )


def _read_head(info: int, process: subprocess.Popen[bytes]) -> int:
    """The id that the jail's program reports, or OSError when it ends without."""
    deadline = time.monotonic() + _START_SECONDS
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(info, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(info, 4096)
            text += piece
            with suppress(ValueError):
                return int(json.loads(text)["child-pid"])
            if not piece:
                raise OSError(f"the jail could not be set up (exit status {process.wait(_GRACE_SECONDS)})")
    raise TimeoutError("the jail was not set up in time")
