"""Between the process of a job, which has neither token nor database, and the farm.

The process inherits one descriptor. For each question it makes a pair of sockets, hands one of them over, writes a line
of JSON into the other and reads a line back; so several of its threads may ask at once, and a process that dies leaves
a socket that is closed: what it asked for is cancelled. The tools' jails never see the descriptor.
"""

from __future__ import annotations

import json
import logging
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from dlpipe.service.farm.desk import Desk

_log = logging.getLogger(__name__)
_MAX_LINE = 64 << 20  # bytes: a question holds the code of a program


class Gateway:
    """Answers while it is entered. `descriptor`: for the process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()

    @property
    def descriptor(self) -> int:
        return self._theirs.fileno()

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._theirs.close()
        self._ours.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.pop(0).join()
        self._ours.close()

    def _start(self, what: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=what, args=args, name="farm")
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            try:
                said, descriptors, _, _ = socket.recv_fds(self._ours, 1, 1)
            except OSError:
                return
            if not said:
                return
            for each in descriptors:
                self._start(self._serve, socket.socket(fileno=each))

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                asked = json.loads(lines.readline(_MAX_LINE))
                told = self._desk.answer(asked, lambda: self._ended.is_set() or _hung_up(connection))
            except Exception as error:  # noqa: BLE001 - the job is told, whatever it is
                _log.warning("a question of a job to the farm failed", exc_info=True)
                told = {"error": {"kind": "failed", "message": f"the farm: {type(error).__name__}", "board": None}}
            try:
                connection.sendall(json.dumps(told).encode() + b"\n")
            except OSError:
                _log.info("a job has gone that asked something of the farm")


def _hung_up(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0]) and not connection.recv(1, socket.MSG_PEEK)
