"""Teams, and the tokens that speak for them. Only a token's hash is kept: a copy of the database opens nothing."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from dlpipe.errors import UserError
from dlpipe.service.tables import Team, Token

Scope = Literal["read", "submit", "board", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FIRST_TEAM = "default"
MIN_SECRET = 20  # characters: hashed once, a secret must be too long to be guessed
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Jobs and uploads are seen by `team` alone, an administrator's too. `via`: what the request showed;
    `address`: where it came from."""

    token: int
    team: int
    team_name: str
    name: str
    scopes: frozenset[str]
    expires: float | None
    via: Literal["token", "session"] = "token"
    address: str = ""


def first_administrator(session: Session, secret: str | None, now: float) -> bool:
    """On the first start, `secret` becomes the first administrator's token; later it changes nothing. Returns whether
    it opens anything from now on, True where there is none. Raises UserError."""
    if session.scalars(select(Token.id).limit(1)).first() is not None:
        return not secret or caller(session, secret, now) is not None
    if not secret:
        raise UserError(
            "this service has no token yet, so nobody could use it",
            hint="set DLPIPE_TOKEN for the first start, e.g. to the output of: openssl rand -hex 32",
        )
    if len(secret) < MIN_SECRET:
        raise UserError(f"DLPIPE_TOKEN has fewer than {MIN_SECRET} characters", hint="e.g. openssl rand -hex 32")
    team = Team(name=FIRST_TEAM, created=now, served=0)
    session.add(team)
    session.flush()
    session.add(_token(team, "first administrator", SCOPES, secret, now, None))
    return True


def make_team(session: Session, name: str, now: float) -> Team:
    """Raises UserError."""
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name of a team", hint="letters, digits, spaces, dots, dashes; at most 64")
    if session.scalars(select(Team.id).where(Team.name == name)).first() is not None:
        raise UserError(f"there is a team {name!r} already")
    # A new team has not waited longer than those that are here.
    served = max(session.scalars(select(Team.served)).all(), default=0)
    team = Team(name=name, created=now, served=served)
    session.add(team)
    session.flush()
    return team


def make_token(
    session: Session, team: str, name: str, scopes: Iterable[Scope], now: float, days: float | None
) -> tuple[Token, str]:
    """The row, and the secret, which is told this once. Raises UserError."""
    found = session.scalars(select(Team).where(Team.name == team)).first()
    if found is None:
        raise UserError(f"there is no team {team!r}")
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name of a token", hint="letters, digits, spaces, dots, dashes; at most 64")
    secret = f"dlp_{secrets.token_urlsafe(32)}"
    row = _token(found, name, scopes, secret, now, now + days * 86400 if days is not None else None)
    session.add(row)
    session.flush()
    return row, secret


def caller(session: Session, secret: str, now: float) -> Caller | None:
    """None for a token that is unknown, revoked or out of date."""
    row = session.scalars(select(Token).where(Token.hash == token_hash(secret))).first()
    return caller_of(row, now) if row is not None else None


def caller_of(row: Token, now: float) -> Caller | None:
    """None once it is revoked or out of date."""
    if row.revoked is not None or (row.expires is not None and row.expires <= now):
        return None
    return Caller(row.id, row.team_id, row.team.name, row.name, frozenset(row.scopes.split()), row.expires)


def _token(team: Team, name: str, scopes: Iterable[Scope], secret: str, now: float, expires: float | None) -> Token:
    ordered = " ".join(scope for scope in SCOPES if scope in set(scopes))
    return Token(team=team, name=name, hash=token_hash(secret), scopes=ordered, created=now, expires=expires)


def token_hash(secret: str) -> str:
    """What is kept of a secret that is too long to be guessed."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
