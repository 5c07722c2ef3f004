"""Signing in with a token, signing out, and the choice of the language."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qs

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from dlpipe.report.languages import LANGUAGES
from dlpipe.service import accounts, browsers
from dlpipe.service.accounts import Caller
from dlpipe.service.api import cookies
from dlpipe.service.api.access import check_page
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.refusals import note_sign_in
from dlpipe.service.api.state import Service, State, address
from dlpipe.service.web.languages import COOKIE
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import inner

router = APIRouter()
_YEAR = 365 * 86400
_FIELDS = 20
Next = Annotated[str | None, Query(max_length=2000)]


@router.get("/login")
def login(request: Request, service: Service, next: Next = None) -> Response:
    return page(request, "login", next=inner(next), refused="", provider=_has_provider(service))


@router.post("/login")
async def sign_in(request: Request, service: Service) -> Response:
    """A form: `token`, and `next`, where to go on. Another site cannot sign somebody in here as somebody else."""
    if not cookies.same_origin(request):
        raise Problem(403, "another site caused this request")
    form = await _form(request)
    to = inner(form.get("next"))
    started = await run_sync(_start, service, form.get("token", "").strip(), address(request))
    if started is None:
        await note_sign_in(request, 401, "the token is unknown, revoked or out of date")
        return page(request, "login", status=401, next=to, refused="token", provider=_has_provider(service))
    answer = RedirectResponse(to, 303)
    cookies.set_secret(request, answer, *started)
    return answer


@router.post("/logout")
async def logout(request: Request, service: Service) -> Response:
    secret = cookies.secret(request)
    answer = RedirectResponse("/login", 303)
    if secret is not None:
        check_page(request, secret, (await _form(request)).get("csrf"))
        await run_sync(_end, service, secret, address(request))
        cookies.forget_secret(request, answer)
    return answer


@router.get("/language")
def choose_language(to: Annotated[str, Query(max_length=8)], next: Next = None) -> Response:
    answer = RedirectResponse(inner(next), 303)
    if to in LANGUAGES:
        answer.set_cookie(COOKIE, to, max_age=_YEAR, path="/", httponly=True, samesite="lax")
    return answer


def _has_provider(service: State) -> bool:
    return service.oidc is not None and service.oidc.main is not None


def start(service: State, session: Session, caller: Caller, now: float, **details: str) -> tuple[str, float]:
    """Whoever has shown to be `caller` is signed in: the cookie's secret, and for how many seconds. details: of how,
    for the audit log."""
    secret, expires = browsers.start(session, caller, now)
    service.audit(session, caller, "session.start", **details)
    return secret, expires - now


def _start(service: State, token: str, address: str) -> tuple[str, float] | None:
    """None for a token that opens nothing."""
    with service.database.write() as session:
        now = service.database.now(session)
        caller: Caller | None = accounts.caller(session, token, now)
        if caller is None:
            return None
        return start(service, session, replace(caller, address=address), now)


def _end(service: State, secret: str, address: str) -> None:
    with service.database.write() as session:
        caller = browsers.caller(session, secret, service.database.now(session))
        if caller is not None:
            service.audit(session, replace(caller, via="session", address=address), "session.end")
        browsers.end(session, secret)


async def _form(request: Request) -> dict[str, str]:
    """Raises Problem for what is none of our forms."""
    body = (await request.body()).decode(errors="replace")
    try:
        found = parse_qs(body, max_num_fields=_FIELDS)
    except ValueError:
        raise Problem(400, f"a form has {_FIELDS} fields at most") from None
    return {name: values[0] for name, values in found.items()}
