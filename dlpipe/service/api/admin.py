"""Teams and tokens; for administrators, but for what a token says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from dlpipe.service import accounts
from dlpipe.service.accounts import Scope
from dlpipe.service.api.access import Administrator, Reader
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service
from dlpipe.service.api.views import utc
from dlpipe.service.asked import MIN_MEMORY
from dlpipe.service.quotas import MAX_TIME_LIMIT
from dlpipe.service.tables import Team, Token

router = APIRouter(tags=["administration"])
RowId = Annotated[int, Path(ge=1, le=(1 << 31) - 1)]


class NewTeam(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=64)


class NewToken(BaseModel):
    """`days` until it expires; None: never."""

    model_config = ConfigDict(extra="forbid")
    team: str = Field(max_length=64)
    name: str = Field(max_length=64)
    scopes: list[Scope] = Field(min_length=1, max_length=len(accounts.SCOPES))
    days: float | None = Field(default=90, gt=0, le=3660, allow_inf_nan=False)


class TeamView(BaseModel):
    """Bytes and seconds; None: as the service has it for all, which for bytes and memory is no limit."""

    id: int
    name: str
    created: datetime
    max_bytes: int | None
    max_waiting: int | None
    max_time_limit: float | None
    max_memory: int | None


class TeamLimits(BaseModel):
    """What is left out stays; null: as the service has it for all."""

    model_config = ConfigDict(extra="forbid")
    max_bytes: int | None = Field(default=None, ge=0, le=1 << 60)
    max_waiting: int | None = Field(default=None, ge=0, le=1_000_000)
    max_time_limit: float | None = Field(default=None, gt=0, le=MAX_TIME_LIMIT, allow_inf_nan=False)
    max_memory: int | None = Field(default=None, ge=MIN_MEMORY, le=1 << 50)


class TokenView(BaseModel):
    id: int
    team: str
    name: str
    scopes: list[str]
    created: datetime
    expires: datetime | None
    revoked: datetime | None


class MadeToken(TokenView):
    """`secret` is told this once."""

    secret: str


class Myself(BaseModel):
    team: str
    name: str
    scopes: list[str]
    expires: datetime | None


@router.get("/whoami")
def whoami(caller: Reader) -> Myself:
    expires = utc(caller.expires) if caller.expires is not None else None
    return Myself(team=caller.team_name, name=caller.name, scopes=sorted(caller.scopes), expires=expires)


@router.get("/teams")
def teams(caller: Administrator, service: Service) -> list[TeamView]:
    del caller
    with service.database.read() as session:
        return [_team_view(team) for team in session.scalars(select(Team).order_by(Team.id))]


@router.post("/teams", status_code=201)
def make_team(new: NewTeam, caller: Administrator, service: Service) -> TeamView:
    with service.database.write() as session:
        team = accounts.make_team(session, new.name, service.database.now(session))
        service.audit(session, caller, "team.create", team.name)
        return _team_view(team)


@router.patch("/teams/{id}")
def change_team(id: RowId, limits: TeamLimits, caller: Administrator, service: Service) -> TeamView:
    """What its jobs and files may take up. Jobs that were accepted keep what they were accepted with."""
    with service.database.write() as session:
        team = session.get(Team, id)
        if team is None:
            raise Problem(404, "there is no such team")
        for name in limits.model_fields_set:
            setattr(team, name, getattr(limits, name))
        service.audit(session, caller, "team.change", team.name, **limits.model_dump(exclude_unset=True))
        return _team_view(team)


@router.get("/tokens")
def tokens(caller: Administrator, service: Service) -> list[TokenView]:
    del caller
    with service.database.read() as session:
        return [_view(each) for each in session.scalars(select(Token).order_by(Token.id)).all()]


@router.post("/tokens", status_code=201)
def make_token(new: NewToken, caller: Administrator, service: Service) -> MadeToken:
    with service.database.write() as session:
        now = service.database.now(session)
        row, secret = accounts.make_token(session, new.team, new.name, new.scopes, now, new.days)
        details = {"token": row.id, "scopes": row.scopes, "days": new.days}
        service.audit(session, caller, "token.create", f"{row.name} of {row.team.name}", **details)
        return MadeToken(**_view(row).model_dump(), secret=secret)


@router.delete("/tokens/{id}", status_code=204)
def revoke_token(id: RowId, caller: Administrator, service: Service) -> None:
    """It is refused from now on."""
    if id == caller.token:
        raise Problem(409, "this is the token that asks; another administrator may revoke it")
    with service.database.write() as session:
        row = session.get(Token, id)
        if row is None:
            raise Problem(404, "there is no such token")
        row.revoked = row.revoked or service.database.now(session)
        service.audit(session, caller, "token.revoke", f"{row.name} of {row.team.name}", token=row.id)
    service.callers.forget()


def _team_view(row: Team) -> TeamView:
    return TeamView(
        id=row.id,
        name=row.name,
        created=utc(row.created),
        max_bytes=row.max_bytes,
        max_waiting=row.max_waiting,
        max_time_limit=row.max_time_limit,
        max_memory=row.max_memory,
    )


def _view(row: Token) -> TokenView:
    return TokenView(
        id=row.id,
        team=row.team.name,
        name=row.name,
        scopes=row.scopes.split(),
        created=utc(row.created),
        expires=utc(row.expires) if row.expires is not None else None,
        revoked=utc(row.revoked) if row.revoked is not None else None,
    )
