"""What the service converts for, and with what."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select

from dlpipe.service.api.access import Administrator, Reader
from dlpipe.service.api.state import Service
from dlpipe.service.api.views import utc
from dlpipe.service.tables import WorkerRow
from dlpipe.targets.registry import backends as known_backends
from dlpipe.targets.registry import targets as known_targets
from dlpipe.toolchains.manager import Toolchains

router = APIRouter(tags=["catalogue"])
ToolchainState = Literal["installed", "missing", "needs-licence"]
ALIVE_SECONDS = 60.0


class TargetView(BaseModel):
    """`runner`: how artefacts for it are executed here; "none": they are not."""

    name: str
    summary: str
    kind: str
    runner: str
    backends: list[str]


class BackendView(BaseModel):
    """`targets`: those that choose it by default. `toolchains`: what it compiles with for them -> whether that is
    there; "missing" is installed when it is first needed, "needs-licence" only on the operator's word."""

    name: str
    summary: str
    targets: list[str]
    toolchains: dict[str, ToolchainState]


class WorkerView(BaseModel):
    """`health`: "silent" was not heard of for a minute."""

    name: str
    started: datetime
    seen: datetime
    health: Literal["alive", "silent"]


@router.get("/targets")
def targets(caller: Reader) -> list[TargetView]:
    del caller
    return [
        TargetView(name=t.name, summary=t.summary, kind=t.kind, runner=t.runner, backends=list(t.backends))
        for t in known_targets().values()
    ]


@router.get("/backends")
def backends(caller: Reader) -> list[BackendView]:
    del caller
    found = known_targets().values()
    tools = Toolchains()
    return [
        BackendView(
            name=name,
            summary=each.summary,
            targets=[t.name for t in found if name in t.backends],
            toolchains={tool: _state(tools, tool) for tool in _toolchains(name)},
        )
        for name, each in known_backends().items()
    ]


@cache
def _toolchains(backend: str) -> tuple[str, ...]:
    """What it compiles with, by name: its targets say, and for each the precisions that it makes."""
    tool = known_backends()[backend]
    calls = [
        tool.compile_call(target, variant)
        for target in known_targets().values()
        if backend in target.backends
        for variant in tool.variants(target)
    ]
    return tuple(sorted({call.toolchain for call in calls}))


def _state(tools: Toolchains, name: str) -> ToolchainState:
    if tools.find(name) is not None:
        return "installed"
    return "needs-licence" if tools.unaccepted(name) is not None else "missing"


@router.get("/workers")
def workers(caller: Administrator, service: Service) -> list[WorkerView]:
    del caller
    with service.database.read() as session:
        now = service.database.now(session)
        rows = session.scalars(select(WorkerRow).order_by(WorkerRow.started)).all()
    return [
        WorkerView(
            name=row.name,
            started=utc(row.started),
            seen=utc(row.seen),
            health="alive" if now - row.seen < ALIVE_SECONDS else "silent",
        )
        for row in rows
    ]
