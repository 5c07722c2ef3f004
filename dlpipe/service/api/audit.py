"""The audit log, to be read by administrators. There is no route that writes to it, or removes any of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from dlpipe.service import audit
from dlpipe.service.api.access import Administrator
from dlpipe.service.api.state import Service
from dlpipe.service.asked import WITHOUT_NUL
from dlpipe.service.audit import Action, Wanted

router = APIRouter(tags=["administration"])
Name = Annotated[str | None, Query(max_length=128, pattern=WITHOUT_NUL)]


class AuditEntry(BaseModel):
    """`actor`: the token's name, of `team`; `token`: its number; null where none was known. `via`: what told who it is.
    `address`: where the request came from, or the machine that the command ran on. `details` differ by action."""

    id: int
    time: datetime
    team: str | None
    actor: str
    token: int | None
    scopes: list[str]
    via: Literal["token", "session", "command", "service", "nothing"]
    address: str
    action: Action
    subject: str
    outcome: Literal["done", "refused"]
    details: dict[str, Any]


class AuditPage(BaseModel):
    """`next`: hand it in as `after` for what follows; None at the end."""

    entries: list[AuditEntry]
    next: int | None


@router.get("/audit")
def entries(
    caller: Administrator,
    service: Service,
    team: Name = None,
    actor: Name = None,
    action: Action | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int | None, Query(ge=0, le=1 << 31)] = None,
) -> AuditPage:
    """Who did what, in every team, the newest first."""
    del caller
    first, last = (each.timestamp() if each is not None else None for each in (since, until))
    with service.database.read() as session:
        found = audit.find(session, Wanted(team, actor, action, first, last, after), limit + 1)
    shown = [AuditEntry.model_validate(audit.shown(each)) for each in found[:limit]]
    return AuditPage(entries=shown, next=shown[-1].id if len(found) > limit else None)
