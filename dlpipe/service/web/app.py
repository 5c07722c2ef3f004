"""The pages as an application of their own beside the API's: errors are pages here, and problem details there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path as File

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, RedirectResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

import dlpipe.report
from dlpipe.errors import UserError
from dlpipe.service.api.app import NO_TELEMETRY, PREFIX
from dlpipe.service.api.problems import Problem, problem
from dlpipe.service.api.refusals import note
from dlpipe.service.api.state import State
from dlpipe.service.web import administration, audit, catalogue, jobs, provider, signing, wizard
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import SignIn

_REPORT = File(dlpipe.report.__file__).with_name("templates")  # the pages look as the report does
_STATIC = {file.name: file for file in (*File(__file__).with_name("static").iterdir(), *_REPORT.glob("*.css"))}
_MACHINES = frozenset({"/healthz", "/readyz", "/metrics"})  # what the API's application has beside PREFIX
_log = logging.getLogger(__name__)


def with_pages(api: ASGIApp, state: State) -> ASGIApp:
    """The API where it was, the pages at every other path."""
    pages = make_pages(state)

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        await (api if _is_of_machines(scope) else pages)(scope, receive, send)

    return choose


def refusal(scope: Scope, status: int, detail: str, headers: Mapping[str, str]) -> ASGIApp:
    """Of a request that is not looked at any further: a page where a page was asked for."""
    if _is_of_machines(scope):
        return problem(status, detail, headers)
    answer = page(Request(scope), "error", status=status, code=status, detail=detail, hint=None)
    answer.headers.update(headers)
    return answer


def _is_of_machines(scope: Scope) -> bool:
    path = scope.get("path", "")
    return path.startswith(f"{PREFIX}/") or path in _MACHINES


def make_pages(state: State) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY)
    app.state.service = state
    for room in (signing, provider, jobs, wizard, catalogue, administration, audit):
        app.include_router(room.router)
    app.add_api_route("/static/{name}", static, methods=["GET"])
    for kind in (Problem, UserError, HTTPException, RequestValidationError, OperationalError, Exception):
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(SignIn, _sign_in)
    return app


async def static(name: str) -> FileResponse:
    """Looked at anew each time, sent only when it has changed."""
    if name not in _STATIC:
        raise Problem(404, "there is no such page")
    return FileResponse(_STATIC[name], headers={"Cache-Control": "no-cache"})


async def _sign_in(_: Request, error: Exception) -> RedirectResponse:
    assert isinstance(error, SignIn)
    return RedirectResponse(error.to, 303)


async def _refused(request: Request, error: Exception) -> Response:
    hint = None
    match error:
        case Problem():
            status, detail = error.status, error.detail
            await note(request, status, detail)
        case UserError():
            status, detail, hint = 422, error.message, error.hint
        case RequestValidationError():
            status, detail = 404, "there is no such page"
        case HTTPException():
            status, detail = (
                error.status_code,
                "there is no such page" if error.status_code == 404 else str(error.detail),
            )
        case OperationalError():
            _log.error("the database does not answer: %s", error)
            status, detail = 503, "the service's database does not answer"
        case _:
            _log.error("a bug of dlpipe", exc_info=error)
            status, detail = 500, "this is a bug of dlpipe; the server's log has the trace"
    return page(request, "error", status=status, code=status, detail=detail, hint=hint)
