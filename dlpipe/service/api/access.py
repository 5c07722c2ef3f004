"""Who may ask what. A route names its scope by the type of its caller; one that names none is open to anybody.

A program shows its token in a header. One of our own pages shows its session's cookie instead: for what changes
something together with the session's CSRF token in `X-CSRF-Token`, and never where another site caused the request.
"""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from dlpipe.service import browsers
from dlpipe.service.accounts import Caller
from dlpipe.service.api import cookies
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service, identified

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="a token of the service")


async def _caller(
    scopes: SecurityScopes,
    service: Service,
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    cookie = cookies.secret(request)
    if given is None and cookie is None:
        raise Problem(401, "a token is wanted", headers={"WWW-Authenticate": "Bearer"})
    callers = service.callers
    if given is not None:
        secret = given.credentials
        found = callers.recent(secret) or await run_sync(callers.look_up, secret)
    else:
        found = await run_sync(browsers.look_up, service.database, cookie or "")
    if found is None:
        detail = "the token is unknown, revoked or out of date" if given is not None else "the session has ended"
        raise Problem(401, detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    found = identified(request, found, "token" if given is not None else "session")
    if given is None:
        check_page(request, cookie or "", request.headers.get(cookies.CSRF_HEADER))
    if not found.scopes.issuperset(scopes.scopes):
        raise Problem(403, f"this token has not the scope {' '.join(scopes.scopes)}")
    return found


def check_page(request: Request, secret: str, token: str | None) -> None:
    """That one of our own pages asks, with the session that `secret` opens. Raises Problem."""
    if not cookies.same_origin(request):
        raise Problem(403, "another site caused this request")
    if cookies.changes(request) and not browsers.is_csrf(secret, token):
        raise Problem(403, f"with a cookie, what changes something wants {cookies.CSRF_HEADER}")


Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Submitter = Annotated[Caller, Security(_caller, scopes=["submit"])]
BoardAgent = Annotated[Caller, Security(_caller, scopes=["board"])]
Administrator = Annotated[Caller, Security(_caller, scopes=["admin"])]
