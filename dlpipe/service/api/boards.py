"""Boards, as people see them: which there are, how they are; and what an administrator does with them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from dlpipe.service.api.access import Administrator, Reader
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service
from dlpipe.service.api.views import utc
from dlpipe.service.farm import boards as farm
from dlpipe.service.tables import Board, Team

router = APIRouter(prefix="/boards", tags=["boards"])
BoardName = Annotated[str, Path(pattern=farm.NAME, max_length=64)]


class BoardView(BaseModel):
    """What its agent said when it registered. `health`: "silent" was not heard of for a minute. `teams`: for whom it
    works, for administrators alone."""

    name: str
    target: str
    health: Literal["idle", "busy", "silent", "disabled"]
    fingerprint: str
    machine: str
    system: str
    processor: str
    governor: str | None
    isa: list[str]
    cores: int
    memory: int
    python: str
    libc: str
    runtimes: list[str]
    registered: datetime
    seen: datetime
    teams: list[str] | None


class BoardChange(BaseModel):
    """What is left out stays. `teams`: those besides its own that it works for."""

    model_config = ConfigDict(extra="forbid")
    disabled: bool | None = None
    teams: list[Annotated[str, Field(max_length=64)]] | None = Field(default=None, max_length=1000)


@router.get("")
def boards(caller: Reader, service: Service) -> list[BoardView]:
    """Those that work for the team; for an administrator, all."""
    is_admin = "admin" in caller.scopes
    with service.database.read() as session:
        now, at_work = service.database.now(session), farm.busy(session)
        found = session.scalars(select(Board).order_by(Board.name)).all() if is_admin else None
        mine = farm.visible(session, caller.team) if found is None else found
        names = {each.id: each.name for each in session.scalars(select(Team)).all()} if is_admin else None
        return [_view(each, now, at_work, names) for each in mine]


@router.patch("/{name}")
def change(name: BoardName, asked: BoardChange, caller: Administrator, service: Service) -> BoardView:
    """A board that is disabled gets no work; what it does now it may end."""
    with service.database.write() as session:
        board = _find(session, name)
        if asked.disabled is not None:
            board.disabled = asked.disabled
        if asked.teams is not None:
            farm.share(session, board, asked.teams)
        service.audit(session, caller, "board.change", name, **asked.model_dump(exclude_unset=True))
        names = {each.id: each.name for each in session.scalars(select(Team)).all()}
        return _view(board, service.database.now(session), farm.busy(session), names)


@router.delete("/{name}", status_code=204)
def remove(name: BoardName, caller: Administrator, service: Service) -> None:
    """Its name is free again. An agent that still runs registers anew: revoke its token to keep it out."""
    with service.database.write() as session:
        farm.remove(session, _find(session, name))
        service.audit(session, caller, "board.remove", name)


def _find(session: Session, name: str) -> Board:
    board = session.scalars(select(Board).where(Board.name == name)).first()
    if board is None:
        raise Problem(404, "there is no such board")
    return board


def _view(board: Board, now: float, at_work: set[int], names: dict[int, str] | None) -> BoardView:
    said = board.about
    return BoardView(
        name=board.name,
        target=board.target,
        health=farm.health(board, now, board.id in at_work),
        fingerprint=board.fingerprint,
        machine=said["machine"],
        system=said["system"],
        processor=said["processor"],
        governor=said.get("governor"),
        isa=said["isa"],
        cores=said["cores"],
        memory=said["memory"],
        python=said["python"],
        libc=said["libc"],
        runtimes=said["runtimes"],
        registered=utc(board.registered),
        seen=utc(board.seen),
        teams=[names[each] for each in farm.works_for(board)] if names is not None else None,
    )
