"""Signing in by a provider: to it, and back from it. What it says of whom is for `dlpipe.service.oidc` to believe."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import quote, unquote

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from dlpipe.service.api import cookies
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.refusals import note_sign_in
from dlpipe.service.api.state import Service, State, address
from dlpipe.service.oidc.fetching import ProviderTrouble
from dlpipe.service.oidc.identities import NotLetIn
from dlpipe.service.oidc.signing import CALLBACK, Oidc, Vouched, new_secret, until
from dlpipe.service.oidc.verification import TokenRefused
from dlpipe.service.rates import Rate, network
from dlpipe.service.web.rendering import page
from dlpipe.service.web.signing import start
from dlpipe.service.web.visitor import inner

router = APIRouter()
Refusal = Literal["", "token", "unconfirmed", "unknown", "begun elsewhere", "silent"]
Said = Annotated[str, Query(max_length=4096)]
_AT_ONCE = 4  # threads that wait for a provider: others answer meanwhile
_codes = Rate(0.5, 20)  # that one address has us hand to a provider
_log = logging.getLogger(__name__)


@router.get("/login/oidc")
async def begin(
    request: Request, service: Service, next: Annotated[str | None, Query(max_length=2000)] = None
) -> Response:
    oidc, secret = _oidc(service), new_secret()
    try:
        to = await run_sync(oidc.begin, secret, limiter=_limiter())
    except ProviderTrouble as error:
        return await _refused(request, 503, "silent", str(error))
    answer = RedirectResponse(to, 303)
    cookies.set_begun(request, answer, f"{secret}.{quote(inner(next), safe='')}")
    return answer


@router.get(CALLBACK)
async def finish(request: Request, service: Service, code: Said = "", state: Said = "", error: Said = "") -> Response:
    """With a code, or with an error of the provider's. The browser goes on by itself: were it redirected, it would say
    that another site sent it, and keep its new cookie to itself."""
    oidc = _oidc(service)
    secret, _, place = (cookies.begun(request) or "").partition(".")
    if not secret or not oidc.is_state(secret, state):
        return await _refused(request, 400, "begun elsewhere", "the state is none of this browser's")
    if error or not code:
        return await _refused(request, 401, "unconfirmed", "the provider gave no code")
    if not _codes.take(network(address(request))).allowed:
        raise Problem(429, "too many sign-ins from this address", headers={"Retry-After": "10"})
    try:
        vouched = await run_sync(oidc.finish, secret, code, limiter=_limiter())
        started, seconds = await run_sync(_start, service, vouched, address(request))
    except TokenRefused as refused:
        return await _refused(request, 401, "unconfirmed", str(refused))
    except NotLetIn as refused:
        return await _refused(request, 403, "unknown", str(refused))
    except ProviderTrouble as trouble:
        return await _refused(request, 503, "silent", str(trouble))
    answer = page(request, "signed-in", to=inner(unquote(place)))
    cookies.forget_begun(request, answer)
    cookies.set_secret(request, answer, started, seconds)
    return answer


async def _refused(request: Request, status: int, refusal: Refusal, reason: str) -> Response:
    """Whoever looks is told what he can do; what exactly was wrong is the administrator's to read."""
    if status == 503:
        _log.error("a provider: %s", reason)
    else:
        await note_sign_in(request, status, reason)
    answer = page(request, "login", status=status, next="/", refused=refusal, provider=True)
    cookies.forget_begun(request, answer)
    return answer


def _start(service: State, vouched: Vouched, where: str) -> tuple[str, float]:
    """See `signing.start`. Raises NotLetIn."""
    with service.database.write() as session:
        service.database.one_at_a_time(session)
        now = service.database.now(session)
        caller = replace(vouched.let_in(session, now, until(now)), address=where)
        return start(service, session, caller, now, issuer=vouched.issuer, sub=vouched.claims["sub"])


def _oidc(service: State) -> Oidc:
    """Raises Problem."""
    if service.oidc is None or service.oidc.main is None:
        raise Problem(404, "there is no such page")
    return service.oidc


_limiters: list[CapacityLimiter] = []


def _limiter() -> CapacityLimiter:
    """Of this process's event loop, which is there now."""
    if not _limiters:
        _limiters.append(CapacityLimiter(_AT_ONCE))
    return _limiters[0]
