"""What the routes work with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from dlpipe.service import audit, browsers
from dlpipe.service.accounts import Caller
from dlpipe.service.api.metrics import Metrics
from dlpipe.service.callers import Callers
from dlpipe.service.database import Database
from dlpipe.service.farm.openings import Openings
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.places import Places
from dlpipe.service.queue import Queue
from dlpipe.service.quotas import Usage
from dlpipe.service.refusals import Refusals
from dlpipe.service.turned_away import TurnedAway
from dlpipe.service.uploads import MAX_BYTES, Uploads
from dlpipe.service.watching import Watch

if TYPE_CHECKING:
    from dlpipe.service.oidc.signing import Oidc

CALLER = "caller"  # in a request's state, once a route has found out who asks; `identified` sets it


@dataclass(frozen=True, slots=True)
class State:
    """draining: set once the server is about to end. oidc: None: tokens alone let somebody in."""

    places: Places
    database: Database
    queue: Queue
    max_upload: int = MAX_BYTES
    metrics: Metrics = field(default_factory=Metrics)
    draining: threading.Event = field(default_factory=threading.Event)
    oidc: Oidc | None = None
    usage: Usage = field(init=False)
    callers: Callers = field(init=False)
    watch: Watch = field(init=False)
    refusals: Refusals = field(init=False)
    turned_away: TurnedAway = field(init=False)
    openings: Openings = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "usage", Usage(self.places, self.database))
        others = partial(self.oidc.bearer, self.database) if self.oidc is not None else None
        object.__setattr__(self, "callers", Callers(self.database, others))
        object.__setattr__(self, "watch", Watch(self.database))
        object.__setattr__(self, "refusals", Refusals(self.database))
        object.__setattr__(self, "turned_away", TurnedAway(self.database))
        object.__setattr__(self, "openings", Openings(self.farm.openings))

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

    def audit(self, session: Session, caller: Caller, action: audit.Action, subject: str = "", **details: Any) -> None:
        """Within the transaction of what the caller does; see `audit.record`."""
        audit.record(session, self.database.now(session), audit.Actor.of(caller), action, subject, **details)

    def uploads(self, team: int) -> Uploads:
        return Uploads(self.places.uploads(team), self.max_upload, self.places.shared(team))


def identified(request: Request, caller: Caller, via: Literal["token", "session"]) -> Caller:
    """The caller, with where he asks from. What stands before the routes learns from it, too, that the credential which
    the request shows is somebody's."""
    found = replace(caller, via=via, address=address(request))
    setattr(request.state, CALLER, found)
    return found


def address(request: Request) -> str:
    """Where a request came from, as far as that is known."""
    return request.client.host if request.client is not None else ""


async def _state(request: Request) -> State:
    found: State = request.app.state.service
    return found


Service = Annotated[State, Depends(_state)]
