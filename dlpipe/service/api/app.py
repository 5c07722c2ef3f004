"""The application: every route, and what holds for all of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI

from dlpipe import __version__
from dlpipe.service.api import (
    admin,
    agents,
    audit,
    boards,
    catalogue,
    events,
    health,
    jobs,
    problems,
    results,
    uploads,
    usage,
)
from dlpipe.service.api.state import State

PREFIX = "/api/v1"
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}  # FastAPI's own, which tells paths and queries


def make_app(state: State) -> FastAPI:
    """No pages of documentation: those of FastAPI fetch scripts from elsewhere. The OpenAPI document is there."""
    app = FastAPI(
        title="dlpipe",
        version=__version__,
        description="Convert, optimise and compile trained models, and measure every step.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        responses=problems.RESPONSES,
        redirect_slashes=False,  # a redirect would lead to whatever host the request names
        telemetry=NO_TELEMETRY,
    )
    app.state.service = state
    api = APIRouter(prefix=PREFIX)
    for room in (uploads, jobs, results, events, catalogue, boards, agents, usage, admin, audit):
        api.include_router(room.router)
    app.include_router(api)
    app.include_router(health.router)
    problems.install(app)
    return app
