"""What a tool says on its standard output and error, kept as a log of bounded size; and its attempts to reach out."""

from __future__ import annotations

import os
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_MAX_LOG = 16 << 20
_TAIL = 64 << 10
_PIECE = 64 << 10
_PIECES = 16  # per look, so that a tool that never stops talking cannot keep the reader from its other duties
_MAX_NOTES = 20

_NETWORK = re.compile(
    rb"Temporary failure in name resolution|Name or service not known|Network is unreachable|Could not resolve host"
    rb"|No matching distribution found|Could not find a version that satisfies|Failed to establish a new connection"
    rb"|nodename nor servname|getaddrinfo failed",
)


class Chatter:
    """Reads the pipe of one worker into the log of whatever call it serves. Safe to use from several threads.

    `isolated` says whether the worker's network is cut off, so that a note can say what became of an attempt.
    """

    def __init__(self, pipe: int, attempts: int, log: Path, *, isolated: bool) -> None:
        self.descriptors = (pipe, attempts)
        self.ended = False  # every process of the worker has closed its end
        self._lock = threading.Lock()
        self._pending = b""  # an attempt whose line is not complete
        self._file: BinaryIO | None = None
        self._notes: list[str] = []
        self._told = 0  # how many of the notes have been taken
        self._fate = "blocked (a conversion has no network)" if isolated else "this kind of jail cannot prevent it"
        self._begin(log)
        for descriptor in self.descriptors:
            os.set_blocking(descriptor, False)

    def begin(self, log: Path) -> None:
        """From here on the chatter belongs to `log` (overwritten)."""
        self.pump()
        with self._lock:
            self._finish()
            self._begin(log)

    def pump(self) -> None:
        """Take what is there now."""
        with self._lock:
            pipe, attempts = self.descriptors
            for _ in range(_PIECES):
                piece = _read(pipe)
                if not piece:
                    self.ended = self.ended or piece is not None
                    break
                self._keep(piece)
            if said := _read(attempts):
                *lines, self._pending = (self._pending + said).split(b"\n")
                for line in lines:
                    self._keep_attempt(line)

    def tail(self) -> str:
        """The last 64 KiB."""
        self.pump()
        with self._lock:
            return self._tail.decode(errors="replace")

    def take_notes(self) -> list[str]:
        """What the user should hear of, each once per log."""
        self.pump()
        with self._lock:
            if self._signs and not self._reached:
                self._note("the tool tried to reach the network (blocked)")
            fresh = self._notes[self._told :]
            self._told = len(self._notes)
            return fresh

    def close(self) -> None:
        with self._lock:
            self._finish()
            for descriptor in self.descriptors:
                os.close(descriptor)

    def _begin(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._file = log.open("wb", buffering=0)
        self._size = 0
        self._tail = b""
        self._notes, self._told = [], 0
        self._signs = False  # the tool's own words tell of an attempt,
        self._reached = False  # and here it is known to what

    def _finish(self) -> None:
        if self._file is None:
            return
        left_out = self._size - _MAX_LOG - len(self._tail)
        if self._size > _MAX_LOG:
            with suppress(OSError):
                self._file.write(f"\n[dlpipe left out {max(left_out, 0)} bytes here]\n".encode() + self._tail)
        self._file.close()
        self._file = None

    def _keep(self, piece: bytes) -> None:
        if self._file is not None and self._size < _MAX_LOG:
            with suppress(
                OSError
            ):  # a full disk costs the log, not the reading of what comes, which would block the tool
                self._file.write(piece[: _MAX_LOG - self._size])
        self._size += len(piece)
        # A little of what came before, because a line may arrive in two pieces.
        self._signs = self._signs or _NETWORK.search(self._tail[-200:] + piece) is not None
        self._tail = (self._tail + piece)[-_TAIL:]

    def _keep_attempt(self, line: bytes) -> None:
        """`run COMMAND` or `reach HOST:PORT`. The worker can write there too: anything else means nothing."""
        deed, _, what = line.partition(b" ")
        if deed == b"run":
            self._note(f"the tool tried to run `{_printable(what)}`: refused (a conversion has no network)")
        elif deed == b"reach":
            self._reached = True
            self._note(f"the tool tried to reach `{_printable(what)}`: {self._fate}")

    def _note(self, note: str) -> None:
        if note not in self._notes and len(self._notes) < _MAX_NOTES:
            self._notes.append(note)


def _read(descriptor: int) -> bytes | None:
    """Up to 64 KiB; b"" at the end; None where nothing is there now."""
    try:
        return os.read(descriptor, _PIECE)
    except BlockingIOError:
        return None


def _printable(line: bytes) -> str:
    text = line[:400].decode(errors="replace")
    return "".join(character if character.isprintable() else " " for character in text)
