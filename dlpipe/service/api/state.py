"""What the routes work with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from dlpipe.service import browsers
from dlpipe.service.accounts import Caller
from dlpipe.service.api.metrics import Metrics
from dlpipe.service.callers import Callers
from dlpipe.service.database import Database
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.places import Places
from dlpipe.service.queue import Queue
from dlpipe.service.quotas import Usage
from dlpipe.service.uploads import MAX_BYTES, Uploads

CALLER = "caller"  # in a request's state, once a route has found out who asks; `identified` sets it


@dataclass(frozen=True, slots=True)
class State:
    """draining: set once the server is about to end."""

    places: Places
    database: Database
    queue: Queue
    max_upload: int = MAX_BYTES
    metrics: Metrics = field(default_factory=Metrics)
    draining: threading.Event = field(default_factory=threading.Event)
    usage: Usage = field(init=False)
    callers: Callers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "usage", Usage(self.places, self.database))
        object.__setattr__(self, "callers", Callers(self.database))

    @property
    def farm(self) -> Farm:
        return Farm(self.database, lease_seconds=self.queue.lease_seconds)

    def knows(self, token: str | None, session: str | None) -> bool:
        """Whether either is anybody's, so that more of the request is read; what it may ask, the route looks at."""
        if token is not None:
            return (self.callers.recent(token) or self.callers.look_up(token)) is not None
        with self.database.read() as reading:
            now = self.database.now(reading)
            return session is not None and browsers.caller(reading, session, now) is not None

    def uploads(self, team: int) -> Uploads:
        return Uploads(self.places.uploads(team), self.max_upload, self.places.shared(team))


def identified(request: Request, caller: Caller) -> None:
    """For what stands before the routes: the credential that the request shows is somebody's."""
    setattr(request.state, CALLER, caller)


async def _state(request: Request) -> State:
    found: State = request.app.state.service
    return found


Service = Annotated[State, Depends(_state)]
