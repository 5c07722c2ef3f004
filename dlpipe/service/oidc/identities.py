"""Whoever a provider vouches for, as a row among the tokens: of a secret that nobody knows, named by the issuer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dlpipe.service.accounts import SCOPES, Caller, caller_of, token_hash
from dlpipe.service.oidc.rules import Grant
from dlpipe.service.tables import Team, Token, fitting

PREFIX = "oidc:"  # no token that an administrator makes may be called so
_NAME = 64  # characters


class NotLetIn(Exception):
    """Its text says why, for the operator."""


def let_in(session: Session, now: float, issuer: str, claims: Mapping[str, Any], given: Grant, until: float) -> Caller:
    """The caller, until then: seconds since 1970. What the rules give him now holds at once, wherever he is signed in.
    Raises NotLetIn: revoked by an administrator, or of a team that there is not."""
    team = session.scalars(select(Team).where(Team.name == given.team)).first()
    if team is None:
        raise NotLetIn(f"there is no team {given.team!r}")
    identity = hashlib.sha256(f"{issuer}\0{claims['sub']}".encode(errors="surrogateescape")).hexdigest()
    others = update(Token).where(Token.identity == identity, Token.team_id != team.id, Token.expires > now)
    session.execute(others.values(expires=now))  # of the team that he was of before
    row = session.scalars(select(Token).where(Token.identity == identity, Token.team_id == team.id)).first()
    if row is None:
        row = Token(
            team=team, hash=token_hash(secrets.token_urlsafe(32)), identity=identity, created=now, expires=until
        )
        session.add(row)
    if row.revoked is not None:
        raise NotLetIn("an administrator has revoked it")
    row.name, row.scopes = _name(claims), " ".join(scope for scope in SCOPES if scope in given.scopes)
    row.expires = max(row.expires or 0.0, until)
    session.flush()
    caller = caller_of(row, now)
    if caller is None:
        raise NotLetIn("it is out of date")
    return replace(caller, expires=until)


def _name(claims: Mapping[str, Any]) -> str:
    """Of a person the address that the provider has seen to be his, else what the provider calls it."""
    email = claims.get("email")
    known = isinstance(email, str) and email and claims.get("email_verified") is True
    name = "".join(c if c.isprintable() else "?" for c in PREFIX + str(email if known else claims["sub"]))
    return fitting(name, _NAME)
