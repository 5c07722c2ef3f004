"""Which boards there is work for: one question to the database for all that wait, in place of each board's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from anyio.to_thread import run_sync

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Opening:
    """A task that may be had: for `board`, or for any of the kind `target`; the other is None."""

    board: str | None
    target: str | None


class Openings:
    """Of one server, in its event loop. `ask` finds all of them; it is called in a thread."""

    def __init__(self, ask: Callable[[], frozenset[Opening]]) -> None:
        self._ask = ask
        self._looking: asyncio.Task[frozenset[Opening]] | None = None

    async def next(self) -> frozenset[Opening]:
        """At the next look, within POLL_SECONDS. Raises what the database does."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)  # whoever hangs up leaves it to the others

    async def _look(self) -> frozenset[Opening]:
        await asyncio.sleep(POLL_SECONDS)
        return await run_sync(self._ask)
