"""The audit log, for administrators: the API's entries, by team, name, action and day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dlpipe.service.api import admin
from dlpipe.service.api import audit as api
from dlpipe.service.api.state import Service
from dlpipe.service.asked import WITHOUT_NUL
from dlpipe.service.audit import ACTIONS, Action
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import Signed

router = APIRouter()
PAGE = 50
Text = Annotated[str, Query(max_length=128, pattern=WITHOUT_NUL)]


@router.get("/audit")
def audit(
    request: Request,
    visitor: Signed,
    service: Service,
    team: Text = "",
    actor: Text = "",
    action: Text = "",
    since: Text = "",
    until: Text = "",
    after: Annotated[int | None, Query(ge=0, le=1 << 31)] = None,
) -> Response:
    """What is no action or no day counts as not asked for, as a form sends what is left empty. Days are UTC, `until`
    included."""
    visitor.need("admin")
    known: Action | None = next((each for each in ACTIONS if each == action), None)
    first, last = _day(since), _day(until)
    found = api.entries(
        visitor.caller,
        service,
        team or None,
        actor or None,
        known,
        first,
        last + timedelta(days=1) if last is not None else None,
        PAGE,
        after,
    )
    days = {"since": since if first is not None else "", "until": until if last is not None else ""}
    asked = {"team": team, "actor": actor, "action": known or "", **days}
    return page(
        request,
        "audit",
        visitor,
        entries=found.entries,
        next=found.next,
        asked=asked,
        first=after is None,
        teams=[each.name for each in admin.teams(visitor.caller, service)],
        actions=ACTIONS,
    )


def _day(text: str) -> datetime | None:
    """Its beginning."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(found, time(), UTC) if date(1970, 1, 1) <= found < date(9999, 1, 1) else None
