"""Which boards there are. For a board speaks the token that it registered with, and the agent that did so last."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from dlpipe.contracts.json import digest
from dlpipe.service.accounts import Caller
from dlpipe.service.tables import Board, BoardTask, Team, Token

Health = Literal["idle", "busy", "silent", "disabled"]
ANY = "any"
NAME = r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$"
MAX_BOARDS = 100  # of one token
ALIVE_SECONDS = 60.0  # an agent without work asks every 20 s, one at work renews its lease
HOLD_SECONDS = 60.0  # unless it is asked for again
_ITSELF = ("agent", "name")  # of what a board says of itself, what is no part of the machine


class FarmRefused(Exception):
    """`status` as of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def register(session: Session, caller: Caller, about: Mapping[str, Any], now: float) -> Board:
    """A new board, or one that is back; then what it had is given to others. A name that has become free, taken by
    another team, is shared with nobody. Raises FarmRefused for a name that another token has which still counts."""
    name = str(about["name"])
    if re.fullmatch(NAME, name) is None or name == ANY or len(name) > 64:
        raise FarmRefused(
            422, f"{name[:64]!r} is no name of a board: small letters, digits, dots and dashes, not 'any'"
        )
    known = session.scalars(select(Board).where(Board.name == name)).first()
    if known is not None and known.token_id != caller.token and _counts(session, known, now):
        raise FarmRefused(409, f"there is a board {name!r} of another token: its administrator may remove it")
    mine = select(func.count()).where(Board.token_id == caller.token, Board.name != name)
    if session.scalars(mine).one() >= MAX_BOARDS:
        raise FarmRefused(409, f"a token speaks for at most {MAX_BOARDS} boards")
    board = known or Board(name=name, team_id=caller.team, teams=[], disabled=False)
    if board.team_id != caller.team:  # other teams were to trust the board that had this name, not this one
        board.teams = []
    board.team_id, board.token_id = caller.team, caller.token
    board.target, board.about = str(about["target"]), dict(about)
    board.fingerprint = digest({key: value for key, value in about.items() if key not in _ITSELF})[:16]
    board.session, board.registered, board.seen = secrets.token_hex(16), now, now
    board.hold = board.hold_until = None
    session.add(board)
    session.flush()
    had = update(BoardTask).where(BoardTask.board_id == board.id, BoardTask.state == "leased")
    session.execute(had.values(lease_until=0.0))
    return board


def _counts(session: Session, board: Board, now: float) -> bool:
    token = session.get_one(Token, board.token_id)
    return token.revoked is None and (token.expires is None or token.expires > now)


def of_agent(session: Session, token: int, name: str, secret: str) -> Board:
    """The board for which an agent speaks. Raises FarmRefused: 404 where it has to register, 409 where another agent
    has its name."""
    board = session.scalars(select(Board).where(Board.name == name, Board.token_id == token)).first()
    if board is None:
        raise FarmRefused(404, "this token has no such board")
    if not secrets.compare_digest(board.session.encode(), secret.encode()):
        raise FarmRefused(409, f"another agent has registered as {name!r} since")
    return board


def works_for(board: Board) -> list[int]:
    """Ids of teams."""
    return [board.team_id, *board.teams]


def visible(session: Session, team: int) -> list[Board]:
    """Those that work for a team, by name."""
    return [each for each in session.scalars(select(Board).order_by(Board.name)).all() if team in works_for(each)]


def fitting(session: Session, team: int, name: str | None, target: str) -> list[Board]:
    """Those that a team may mean: the one of that name, or all of the kind."""
    found = visible(session, team)
    return [each for each in found if (each.name == name if name is not None else each.target == target)]


def is_alive(board: Board, now: float) -> bool:
    return now - board.seen < ALIVE_SECONDS


def health(board: Board, now: float, busy: bool) -> Health:
    if board.disabled:
        return "disabled"
    if not is_alive(board, now):
        return "silent"
    return "busy" if busy or is_held(board, now) else "idle"


def busy(session: Session) -> set[int]:
    """Ids of the boards that have something to do."""
    return {each for each in session.scalars(select(BoardTask.board_id).where(BoardTask.state == "leased")) if each}


def is_held(board: Board, now: float, but: str | None = None) -> bool:
    """By somebody other than `but`."""
    return board.hold is not None and (board.hold_until or 0.0) > now and board.hold != but


def take_hold(session: Session, boards: Sequence[Board], hold: str, now: float) -> Board | None:
    """One of them that works, and is nobody else's now: an idle one if there is one."""
    free = [each for each in boards if not each.disabled and is_alive(each, now) and not is_held(each, now, hold)]
    at_work = busy(session)
    chosen = min(free, key=lambda each: (each.id in at_work, each.name), default=None)
    if chosen is not None:
        chosen.hold, chosen.hold_until = hold, now + HOLD_SECONDS
    return chosen


def share(session: Session, board: Board, names: Sequence[str]) -> None:
    """With these teams and no others. Raises FarmRefused."""
    found = {each.name: each.id for each in session.scalars(select(Team).where(Team.name.in_(names))).all()}
    if missing := sorted(set(names) - found.keys()):
        raise FarmRefused(422, f"there is no team {missing[0]!r}")
    board.teams = sorted(set(found.values()) - {board.team_id})


def remove(session: Session, board: Board) -> None:
    """What it had is given to others."""
    had = update(BoardTask).where(BoardTask.board_id == board.id, BoardTask.state == "leased")
    session.execute(had.values(lease_until=0.0, board_id=None))
    session.delete(board)
