"""The host's end of the socket to a worker. The other end may be hostile: whatever comes is bounded and checked."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from typing import Any

_MAX_LINE = 64 << 20
_MAX_EVENTS = 100_000  # per call; a tool that reports each step of a long training stays far below
_MAX_TEXT = 10_000
_SEND_SECONDS = 60.0


class ProtocolError(Exception):
    """What came is not what a worker says."""


class Closed(Exception):
    """The worker's end is closed: the process has ended, or acts as if."""


class Channel:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self._searched = 0  # no newline before this position
        self._events = 0

    def send(self, message: Mapping[str, Any]) -> None:
        """Raises Closed, or ProtocolError when the worker does not read."""
        self._events = 0
        self._socket.settimeout(_SEND_SECONDS)
        try:
            self._socket.sendall(json.dumps(message, allow_nan=False).encode() + b"\n")
        except TimeoutError as error:
            raise ProtocolError("it does not read its request") from error
        except OSError as error:
            raise Closed from error

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next event. Raises Closed, ProtocolError, or TimeoutError at `deadline` (of the monotonic clock)."""
        self._events += 1
        if self._events > _MAX_EVENTS:
            raise ProtocolError(f"it sent more than {_MAX_EVENTS} events")
        return _event(self._line(deadline))

    def close(self) -> None:
        self._socket.close()

    def _line(self, deadline: float) -> bytes:
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._buffer)
            if self._searched > _MAX_LINE:
                raise ProtocolError(f"it sent a line of more than {_MAX_LINE >> 20} MiB")
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._socket.settimeout(remaining)
            try:
                piece = self._socket.recv(1 << 20)
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed from error
            if not piece:
                raise Closed
            self._buffer += piece


def _event(line: bytes) -> dict[str, Any]:
    """Parse one line: an object with an `event`, the fields that the host reads of the types it relies on."""
    try:
        event = json.loads(line.decode(), parse_constant=_not_json)
        if b"\\u" in line:  # perhaps half a surrogate pair, which no file and no answer can hold
            event = json.loads(json.dumps(event, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"it sent something that is not JSON: {line[:80]!r}") from error
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ProtocolError(f"it sent something that is not an event: {line[:80]!r}")
    for name in ("message", "hint", "node", "op", "level", "kind", "traceback", "python", "input", "file"):
        if not isinstance(event.get(name), str | None):
            raise ProtocolError(f"the field {name} of an event is not text")
        if name in event and event[name] is not None:
            event[name] = event[name][:_MAX_TEXT]
    fraction = event.get("fraction")
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | None):
        raise ProtocolError("the field fraction of an event is not a number")
    return event


def _not_json(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
