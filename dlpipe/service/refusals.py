"""Requests that were refused for who asked: a row of the audit log for each, as long as nobody fills it with them."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import OperationalError

from dlpipe.service import audit
from dlpipe.service.audit import Action, Actor
from dlpipe.service.database import Database
from dlpipe.service.rates import Rate, network

_log = logging.getLogger(__name__)


class Refusals:
    """Of one token, or of one address where no token is known, 60 at once and one a second; of all, 600 and 10. What
    is beyond is counted in the next row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._each = Rate(1.0, 60)
        self._all = Rate(10.0, 600)
        self._lock = threading.Lock()
        self._left_out = 0

    def note(self, actor: Actor, action: Action, subject: str, status: int, reason: str) -> None:
        """Asks the database: not for the event loop. Where it does not answer, the refusal stands all the same."""
        who = f"token {actor.token}" if actor.token is not None else network(actor.address)
        with self._lock:
            if not (self._each.take(who).allowed and self._all.take("").allowed):
                self._left_out += 1
                return
            left_out, self._left_out = self._left_out, 0
        details = {"status": status, "reason": reason, **({"left_out": left_out} if left_out else {})}
        try:
            with self._database.write(durable=False) as session:
                now = self._database.now(session)
                audit.record(session, now, actor, action, subject, outcome="refused", **details)
        except OperationalError as error:
            _log.error("a refusal is not in the audit log: %s", error)
