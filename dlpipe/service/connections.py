"""Connections that nobody speaks or reads on: uvicorn's own waits for ever for the rest of a request's head, and for
somebody to take its answer; and whoever keeps enough of them open shuts everybody else out."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from dlpipe.service.rates import network

HEAD_SECONDS = 20.0
READ_SECONDS = 60.0  # for a reader to take what waits for it, and one more for each
READ_BYTES = 4096


class Connection(H11Protocol):
    """Closed where a request's head does not come within HEAD_SECONDS, however slowly its bytes drip, or an answer
    is taken too slowly.

    Where all places are taken, the connection that has been idle for longest makes way for a new one. One network has
    half of them at most; behind a proxy, which is all that connects, that is left to the proxy.
    """

    _head: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the class itself has it
        super().connection_made(transport)
        self.network = network(self.client[0]) if self.client is not None else ""
        self._await_head()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.is_answering():
            self._forget()
        elif self._head is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._has_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._has_read()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_reader()

    def _make_room(self) -> None:
        if self.limit_concurrency is None:
            return
        others = [each for each in self.connections if isinstance(each, Connection) and each is not self]
        others = [each for each in others if not each.transport.is_closing()]
        mine = [each for each in others if each.network == self.network]
        is_crowd = not self.config.proxy_headers and len(mine) >= self.limit_concurrency // 2
        if not is_crowd and len(others) < self.limit_concurrency - 1:
            return
        idle = [each for each in (mine if is_crowd else others) if not each.is_answering()]
        if idle:
            min(idle, key=Connection.idle_until).transport.abort()
        elif is_crowd:
            self.transport.abort()

    def idle_until(self) -> float:
        """When it is closed, by the loop's clock; 0 where it waits for another request."""
        return self._head.when() if self._head is not None else 0.0

    def is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _forget(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _await_reader(self) -> None:
        """What was written is not thrown away when a connection is closed: it goes on waiting for its reader."""
        self._has_read()
        seconds = READ_SECONDS + self.transport.get_write_buffer_size() / READ_BYTES
        self._reader = self.loop.call_later(seconds, self.transport.abort)

    def _has_read(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _give_up(self) -> None:
        self._head = None
        if not self.is_answering():
            self.transport.close()
            self._await_reader()
