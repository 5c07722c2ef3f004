"""A request that was refused for who asked is told to the audit log."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import Request

from dlpipe.service.accounts import Caller
from dlpipe.service.api.state import CALLER, State, address
from dlpipe.service.audit import Action, Actor


async def note(request: Request, status: int, reason: str) -> None:
    """A `status` that says nothing of the caller is passed over, and so is a request that showed no token."""
    if status != 403 and not (status == 401 and "authorization" in request.headers):
        return
    caller: Caller | None = getattr(request.state, CALLER, None)
    actor = Actor.of(caller) if caller is not None else _nobody(request)
    await _tell(request, actor, "access.refused" if status == 403 else "sign-in.refused", status, reason)


async def note_sign_in(request: Request, status: int, reason: str) -> None:
    """Of somebody who is not known, in the browser."""
    await _tell(request, _nobody(request), "sign-in.refused", status, reason)


def _nobody(request: Request) -> Actor:
    return Actor("nobody known", "nothing", address(request))


async def _tell(request: Request, actor: Actor, action: Action, status: int, reason: str) -> None:
    service: State = request.app.state.service
    await run_sync(service.refusals.note, actor, action, f"{request.method} {request.url.path}", status, reason)
