"""Whose token it is, without asking the database for each of a busy client's requests."""

from __future__ import annotations

import time
from collections.abc import Callable

from dlpipe.service import accounts
from dlpipe.service.accounts import Caller
from dlpipe.service.database import Database

KNOWN_SECONDS = 1.0  # until a revocation by another process is seen
_MANY = 10_000


class Callers:
    """Remembers, by the tokens' hashes, who was found a moment ago. One that was not found is looked for again. others:
    whose a token is that is none of ours."""

    def __init__(self, database: Database, others: Callable[[str], Caller | None] | None = None) -> None:
        self._database = database
        self._others = others
        self._known: dict[str, tuple[float, Caller]] = {}
        self._forgotten = 0

    def recent(self, secret: str) -> Caller | None:
        """None: `look_up` knows."""
        at, found = self._known.get(accounts.token_hash(secret), (0.0, None))
        if found is None or time.monotonic() - at > KNOWN_SECONDS:
            return None
        return found if found.expires is None or found.expires > time.time() else None

    def look_up(self, secret: str) -> Caller | None:
        """None for a token that is unknown, revoked or out of date. Raises what `others` does."""
        before, at = self._forgotten, time.monotonic()
        with self._database.read() as session:
            found = accounts.caller(session, secret, self._database.now(session))
        if found is None and self._others is not None:
            found = self._others(secret)
        if found is not None and before == self._forgotten:  # else it may have been revoked since we looked
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[accounts.token_hash(secret)] = (at, found)
        return found

    def forget(self) -> None:
        """A token was revoked: it is refused from now on."""
        self._forgotten += 1
        self._known = {}
