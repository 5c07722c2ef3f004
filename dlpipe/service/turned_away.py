"""Requests that were refused before anybody looked at who asked, counted for the audit log.

A row for each would make the log a way to fill the disk. There is one for each address and reason in a minute, for the
most frequent of them; what is beyond is one row together.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from sqlalchemy.exc import OperationalError

from dlpipe.service import audit
from dlpipe.service.audit import Actor
from dlpipe.service.database import Database
from dlpipe.service.rates import network

EVERY_SECONDS = 60.0
ROWS = 20  # at once; the rest is told in one more
_KINDS = 10_000  # (address, status, reason) that are counted apart
_NOBODY = "nobody known"
_log = logging.getLogger(__name__)


class TurnedAway:
    """Writes what was counted while it is entered, and what is left at the end. Safe for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts = Counter[tuple[str, int, str]]()
        self._uncounted = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="turned away")

    def count(self, address: str, status: int, reason: str) -> None:
        """Never waits."""
        kind = (network(address), status, reason)
        with self._lock:
            if kind in self._counts or len(self._counts) < _KINDS:
                self._counts[kind] += 1
            else:
                self._uncounted += 1

    def write(self) -> None:
        """Asks the database. Where it does not answer, what was counted until then is in the server's log alone."""
        with self._lock:
            found, self._counts = self._counts.most_common(), Counter()
            beyond, self._uncounted = self._uncounted, 0
        beyond += sum(times for _, times in found[ROWS:])
        if not found:
            return
        try:
            with self._database.write(durable=False) as session:
                now = self._database.now(session)
                for (address, status, reason), times in found[:ROWS]:
                    details = {"status": status, "requests": times}
                    actor = Actor(_NOBODY, "nothing", address)
                    audit.record(session, now, actor, "request.refused", reason, outcome="refused", **details)
                if beyond:
                    more = {"requests": beyond, "addresses": len({kind[0] for kind, _ in found[ROWS:]})}
                    actor = Actor(_NOBODY, "nothing")
                    audit.record(session, now, actor, "request.refused", "others", outcome="refused", **more)
        except OperationalError as error:
            lost = sum(times for _, times in found[:ROWS]) + beyond
            _log.error("%d requests that were refused are not in the audit log: %s", lost, error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(EVERY_SECONDS)
            self.write()
