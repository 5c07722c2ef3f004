"""Who did what to what, when, from where, and whether it was let in: rows that are added, never changed.

What changes something writes its row in the same transaction, so neither is there without the other. Nothing but `trim`
removes any. Whoever may write to the database may forge them: who has to trust them even then keeps copies elsewhere.
Names are kept as texts, so that a row tells the same whatever becomes of its team or token; no secret is among them.
"""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import delete, func, inspect, select
from sqlalchemy.orm import Session

from dlpipe.service.accounts import Caller
from dlpipe.service.tables import AuditRow, fitting

Action = Literal[
    "session.start",
    "session.end",
    "sign-in.refused",
    "access.refused",
    "request.refused",
    "team.create",
    "team.change",
    "token.create",
    "token.revoke",
    "job.submit",
    "job.cancel",
    "job.retry",
    "job.remove",
    "upload.remove",
    "report.download",
    "artifact.download",
    "board.register",
    "board.change",
    "board.remove",
    "service.start",
    "service.gc",
    "service.backup",
    "service.restore",
    "audit.trim",
]
ACTIONS: tuple[Action, ...] = get_args(Action)
Outcome = Literal["done", "refused"]
MAX_TEXT = 300  # characters
_MAX_DETAIL = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """`via`: how it was known: by a token, a session's cookie, as whoever ran a command beside the data, as the
    service itself; "nothing" where nobody was known. `token`: its number."""

    name: str
    via: Literal["token", "session", "command", "service", "nothing"]
    address: str = ""
    team: str | None = None
    token: int | None = None
    scopes: str = ""

    @staticmethod
    def of(caller: Caller) -> Actor:
        scopes = " ".join(sorted(caller.scopes))
        return Actor(caller.name, caller.via, caller.address, caller.team_name, caller.token, scopes)

    @staticmethod
    def of_command() -> Actor:
        """Who runs this process, on which machine."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a number that no name belongs to, as in a container
            name = "?"
        return Actor(name, "command", socket.gethostname())


SERVICE = Actor("dlpipe serve", "service")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows; None: any. `since`, `until`: seconds since 1970, the latter excluded. `after`: those that come
    behind the row of this number, that is older ones."""

    team: str | None = None
    actor: str | None = None
    action: str | None = None
    since: float | None = None
    until: float | None = None
    after: int | None = None


def record(
    session: Session,
    now: float,
    actor: Actor,
    action: Action,
    subject: str = "",
    *,
    outcome: Outcome = "done",
    **details: Any,
) -> None:
    """Within the transaction of what is done. `details`: JSON, none of it secret."""
    row = AuditRow(
        time=now,
        team=actor.team,
        actor=_text(actor.name, 128),
        token=actor.token,
        scopes=actor.scopes,
        via=actor.via,
        address=_text(actor.address, 128),
        action=action,
        subject=_text(subject, MAX_TEXT),
        outcome=outcome,
        details={
            name: _text(value, _MAX_DETAIL) if isinstance(value, str) else value for name, value in details.items()
        },
    )
    session.add(row)


def find(session: Session, wanted: Wanted, limit: int) -> list[AuditRow]:
    """The newest first."""
    found = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    for column, value in (
        (AuditRow.team, wanted.team),
        (AuditRow.actor, wanted.actor),
        (AuditRow.action, wanted.action),
    ):
        if value is not None:
            found = found.where(column == value)
    if wanted.since is not None:
        found = found.where(AuditRow.time >= wanted.since)
    if wanted.until is not None:
        found = found.where(AuditRow.time < wanted.until)
    if wanted.after is not None:
        found = found.where(AuditRow.id < wanted.after)
    return list(session.scalars(found).all())


def shown(row: AuditRow) -> dict[str, Any]:
    """As the API tells it."""
    return {
        "id": row.id,
        "time": datetime.fromtimestamp(row.time, UTC).isoformat().replace("+00:00", "Z"),
        "team": row.team,
        "actor": row.actor,
        "token": row.token,
        "scopes": row.scopes.split(),
        "via": row.via,
        "address": row.address,
        "action": row.action,
        "subject": row.subject,
        "outcome": row.outcome,
        "details": row.details,
    }


def trim(session: Session, now: float, actor: Actor, before: float) -> int:
    """Removes what is older than `before`, seconds since 1970, and leaves a row that says so. Returns how many went."""
    found = count(session, before)
    if found:
        record(session, now, actor, "audit.trim", rows=found, before=before)
        session.flush()
        session.execute(delete(AuditRow).where(AuditRow.time < before))
    return found


def count(session: Session, before: float) -> int:
    """Rows that are older."""
    return session.scalars(select(func.count()).select_from(AuditRow).where(AuditRow.time < before)).one()


def is_kept(session: Session) -> bool:
    """Whether there is a table yet: not in a database that only an older version has opened."""
    return inspect(session.connection()).has_table(AuditRow.__tablename__)


def _text(text: str, length: int) -> str:
    """PostgreSQL's texts hold no NUL."""
    return fitting(text.replace("\0", "\N{REPLACEMENT CHARACTER}"), length)
