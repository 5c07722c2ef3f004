"""Who may ask what. A route names its scope by the type of its caller; one that names none is open to anybody."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from dlpipe.service.accounts import Caller
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="a token of the service")


async def _caller(
    scopes: SecurityScopes,
    service: Service,
    given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    if given is None:
        raise Problem(401, "a token is wanted", headers={"WWW-Authenticate": "Bearer"})
    callers, secret = service.callers, given.credentials
    found = callers.recent(secret) or await run_sync(callers.look_up, secret)
    if found is None:
        detail = "the token is unknown, revoked or out of date"
        raise Problem(401, detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if not found.scopes.issuperset(scopes.scopes):
        raise Problem(403, f"this token has not the scope {' '.join(scopes.scopes)}")
    return found


Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Submitter = Annotated[Caller, Security(_caller, scopes=["submit"])]
BoardAgent = Annotated[Caller, Security(_caller, scopes=["board"])]
Administrator = Annotated[Caller, Security(_caller, scopes=["admin"])]
