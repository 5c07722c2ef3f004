"""Teams and their tokens, for administrators. Its script asks the API; a token's secret is shown this once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request, Response

from dlpipe.service import accounts
from dlpipe.service.api import admin as api
from dlpipe.service.api.admin import TeamView, TokenView
from dlpipe.service.api.state import Service
from dlpipe.service.api.views import utc
from dlpipe.service.asked import MIN_MEMORY
from dlpipe.service.quotas import MAX_TIME_LIMIT, MAX_WAITING
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import Signed

router = APIRouter()
TokenState = Literal["valid", "out of date", "revoked"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A field of `TeamLimits`, in the unit that people write: `times` so many bytes or seconds."""

    name: str
    times: int
    least: float = 0

    def shown(self, team: TeamView) -> str:
        value: float | None = getattr(team, self.name)
        return "" if value is None else f"{value / self.times:.12g}"


LIMITS = (
    Limit("max_bytes", 10**9),
    Limit("max_waiting", 1),
    Limit("max_time_limit", 3600),
    Limit("max_memory", 10**9, MIN_MEMORY / 10**9),
)


@router.get("/admin")
def administration(request: Request, visitor: Signed, service: Service) -> Response:
    visitor.need("admin")
    with service.database.read() as session:
        now = utc(service.database.now(session))

    def state(token: TokenView) -> TokenState:
        if token.revoked is not None:
            return "revoked"
        return "out of date" if token.expires is not None and token.expires <= now else "valid"

    newest = sorted(api.tokens(visitor.caller, service), key=lambda each: each.id, reverse=True)
    tokens = [(each, state(each)) for each in newest]
    return page(
        request,
        "admin",
        visitor,
        teams=api.teams(visitor.caller, service),
        valid=[each for each in tokens if each[1] == "valid"],
        others=[each for each in tokens if each[1] != "valid"],
        scopes=accounts.SCOPES,
        limits=LIMITS,
        most_waiting=MAX_WAITING,
        most_hours=round(MAX_TIME_LIMIT / 3600),
    )
