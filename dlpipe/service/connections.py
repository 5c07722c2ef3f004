"""Connections that nobody speaks on: uvicorn's own waits for ever for the rest of a request's head, and whoever keeps
enough of them open shuts everybody else out."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from dlpipe.service.rates import network

HEAD_SECONDS = 20.0


class Connection(H11Protocol):
    """Closed where a request's head does not come within HEAD_SECONDS, however slowly its bytes drip.

    Where all places are taken, the connection that has been idle for longest makes way for a new one. One network has
    half of them at most; behind a proxy, which is all that connects, that is left to the proxy.
    """

    _head: asyncio.TimerHandle | None = None

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
        super().connection_lost(exc)

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

    def _give_up(self) -> None:
        self._head = None
        if not self.is_answering():
            self.transport.close()
