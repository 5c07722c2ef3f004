"""Errors as RFC 9457 problem details: `application/problem+json` with type, title, status, detail."""

from __future__ import annotations

import errno
import logging
import re
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from dlpipe.errors import StoreUnreachable, UserError
from dlpipe.service.api.forms import said
from dlpipe.service.api.refusals import note
from dlpipe.service.farm.boards import FarmRefused
from dlpipe.service.oidc.fetching import ProviderTrouble
from dlpipe.service.uploads import UploadRefused

MEDIA_TYPE = "application/problem+json"
_PLAIN = re.compile(r"[\w. /-]{1,100}", re.ASCII)
_log = logging.getLogger(__name__)


class ProblemView(BaseModel):
    """What every answer from 400 on is; some say more."""

    type: str
    title: str
    status: int
    detail: str


_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
_REFUSALS: dict[int | str, str] = {"4XX": "refused, and why", "5XX": "not the caller's fault", 422: "not understood"}
RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "model": ProblemView, "content": _CONTENT} for code, text in _REFUSALS.items()
}


class Problem(Exception):
    """`more`: further members of the answer."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.more = more


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UserError, _users)
    app.add_exception_handler(StoreUnreachable, _store)
    app.add_exception_handler(UploadRefused, _upload)
    app.add_exception_handler(FarmRefused, _farm)
    app.add_exception_handler(ProviderTrouble, _provider)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(OSError, _storage)
    app.add_exception_handler(Exception, _bug)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    await note(request, error.status, error.detail)
    return problem(error.status, error.detail, error.headers, **error.more)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), error.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Names the fields, and repeats nothing of what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = [{"field": ".".join(map(_shown, each["loc"])), "message": _message(each)} for each in error.errors()]
    return problem(422, "; ".join(f"{each['field']}: {each['message']}" for each in faults[:5]), errors=faults[:50])


def _message(fault: Mapping[str, Any]) -> str:
    return said(str(fault.get("ctx", {}).get("pattern"))) or str(fault["msg"])


def _shown(part: str | int) -> str:
    """A field's name; one that was made up, or a file's, only where it is plain."""
    return str(part) if _PLAIN.fullmatch(str(part)) else "..."


async def _users(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)
    return problem(422, error.message, hint=error.hint)


async def _upload(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UploadRefused)
    headers = {"Upload-Offset": str(error.offset)} if error.offset is not None else None
    return problem(error.status, error.message, headers)


async def _farm(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FarmRefused)
    return problem(error.status, error.message)


async def _provider(_: Request, error: Exception) -> JSONResponse:
    _log.error("%s", error)
    return problem(503, "the provider that signed this token does not answer", {"Retry-After": "30"})


async def _database(_: Request, error: Exception) -> JSONResponse:
    if _is_full(error):
        _log.error("the database's disk is full: %s", error)
        return problem(507, "the service's disk is full", {"Retry-After": "60"})
    _log.error("the database does not answer: %s", error)
    return problem(503, "the service's database does not answer", {"Retry-After": "5"})


async def _store(_: Request, error: Exception) -> JSONResponse:
    _log.error("%s", error)
    return problem(503, "the service's store does not answer", {"Retry-After": "5"})


async def _storage(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return await _bug(_, error)
    _log.error("the disk is full: %s", error)
    return problem(507, "the service's disk is full", {"Retry-After": "60"})


def _is_full(error: Exception) -> bool:
    """SQLite's SQLITE_FULL, PostgreSQL's disk_full."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", "") == "53100"


async def _bug(_: Request, error: Exception) -> JSONResponse:
    _log.error("a bug of dlpipe", exc_info=error)
    return problem(500, "this is a bug of dlpipe; the server's log has the trace")
