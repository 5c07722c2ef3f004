"""How the server ends: what looks at it is told first, then it stops listening, and what runs is answered."""

from __future__ import annotations

import threading
import time
from types import FrameType

import uvicorn


class DrainingServer(uvicorn.Server):
    """draining: set by the first SIGTERM or SIGINT; `/readyz` answers 503 from then on, and streams end. seconds: that
    it goes on listening, so that a load balancer notices. A second signal ends the waiting."""

    def __init__(self, config: uvicorn.Config, draining: threading.Event, seconds: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._seconds = seconds
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining.is_set():
            super().handle_exit(sig, frame)
            return
        self._until = time.monotonic() + self._seconds
        self._draining.set()

    async def on_tick(self, counter: int) -> bool:
        ended = await super().on_tick(counter)
        return ended or (self._until is not None and time.monotonic() >= self._until)
