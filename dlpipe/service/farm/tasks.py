"""What a board is asked, under a lease.

A board that asks for work *leases* a task and *renews* the lease while it works. A lease that runs out is a board that
vanished: the task waits again, for another board of its kind or for this one, until `not_after`. Each lease has a
secret of its own, so of two boards that hold a task for theirs only the later one is heard: a task has one result.
A task of a hold (a timing) is not moved: what was timed before was timed there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from dlpipe.contracts.json import digest
from dlpipe.service.database import Database, changed_rows
from dlpipe.service.farm import boards
from dlpipe.service.farm.answers import fault
from dlpipe.service.farm.boards import FarmRefused
from dlpipe.service.farm.openings import Opening
from dlpipe.service.tables import Board, BoardTask

LEASE_SECONDS = 30.0
WANTED_SECONDS = 60.0  # after which nobody waits any more who has not said so again
TOO_LONG_SECONDS = 120.0  # beyond a task's own time: its agent should have ended it
MAX_TRIES = 3  # boards that vanish with one task
LOST, STOPPED, LATE, FAILED = "lost", "stopped", "late", "failed"  # kinds of errors


@dataclass(frozen=True, slots=True)
class Wanted:
    """See `BoardTask`. `wait`: seconds until a board has to have taken it."""

    team: int
    board: str | None
    target: str
    operation: str
    question: Mapping[str, Any]
    files: Mapping[str, str]
    folder: str
    seconds: float
    wait: float
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A task in the hands of a board. `house` is the same for tasks of one team."""

    name: str
    lease: str
    house: str
    operation: str
    question: Mapping[str, Any]
    files: Mapping[str, str]
    folder: str
    seconds: float


class Farm:
    """clock: seconds since 1970, for tests; by default the database's."""

    def __init__(
        self, database: Database, *, lease_seconds: float = LEASE_SECONDS, clock: Callable[[], float] | None = None
    ) -> None:
        self.database = database
        self.lease_seconds = lease_seconds
        self._clock = clock

    def now(self, session: Session) -> float:
        return self._clock() if self._clock is not None else self.database.now(session)

    def submit(self, wanted: Wanted) -> str:
        """The new task's name."""
        with self.database.write() as session:
            now = self.now(session)
            name = f"task-{secrets.token_hex(8)}"
            session.add(
                BoardTask(
                    name=name,
                    team_id=wanted.team,
                    target=wanted.target,
                    board=wanted.board,
                    hold=wanted.hold,
                    operation=wanted.operation,
                    question=dict(wanted.question),
                    files=dict(wanted.files),
                    folder=wanted.folder,
                    seconds=wanted.seconds,
                    not_after=now + wanted.wait,
                    wanted_until=now + WANTED_SECONDS,
                    state="waiting",
                    tried=[],
                )
            )
            return name

    def look(self, name: str) -> BoardTask | None:
        """How a task stands, for who waits for it; None where there is none any more."""
        with self.database.read() as session:
            now = self.now(session)
            task = session.scalars(select(BoardTask).where(BoardTask.name == name)).first()
            if task is None or not (_is_late(task, now) or task.wanted_until - now < WANTED_SECONDS / 2):
                return task
        with self.database.write() as session:
            self.database.one_at_a_time(session)
            now = self.now(session)
            mine = update(BoardTask).where(BoardTask.name == name)
            session.execute(mine.values(wanted_until=now + WANTED_SECONDS))
            if task.hold is not None:
                held = update(Board).where(Board.hold == task.hold)
                session.execute(held.values(hold_until=now + boards.HOLD_SECONDS))
            self._tidy(session, now)
            return session.scalars(select(BoardTask).where(BoardTask.name == name)).first()

    def forget(self, name: str) -> None:
        """Nobody waits for it: a board that has it is told when it renews its lease."""
        with self.database.write() as session:
            session.execute(delete(BoardTask).where(BoardTask.name == name))

    def seen(self, token: int, name: str, secret: str) -> Board:
        """The board lives. Raises FarmRefused."""
        with self.database.write() as session:
            board = boards.of_agent(session, token, name, secret)
            board.seen = self.now(session)
            return board

    def openings(self) -> frozenset[Opening]:
        """Tasks that wait, or whose board has vanished."""
        with self.database.read() as session:
            found = select(BoardTask.board, BoardTask.target).where(_is_open(self.now(session))).distinct()
            rows = session.execute(found)
            return frozenset(Opening(board, target if board is None else None) for board, target in rows)

    def lease(self, token: int, name: str, secret: str) -> Given | None:
        """A task for the board, or None where nothing is to be done. Raises FarmRefused."""
        with self.database.read() as session:
            board = boards.of_agent(session, token, name, secret)
            if session.scalars(_open(board, self.now(session)).limit(1)).first() is None:
                return None
        with self.database.write() as session:
            self.database.one_at_a_time(session)
            now = self.now(session)
            self._tidy(session, now)
            board = boards.of_agent(session, token, name, secret)
            task = session.scalars(_next(board, now).limit(1)).first()
            if board.disabled or task is None or board.id in boards.busy(session):
                return None
            task.state, task.lease, task.board_id = "leased", secrets.token_hex(16), board.id
            task.leased, task.lease_until = now, now + self.lease_seconds
            task.tried = [*task.tried, board.name]
            house = digest({"team": task.team_id, "session": board.session})[:16]
            question, files = dict(task.question), dict(task.files)
            return Given(task.name, task.lease, house, task.operation, question, files, task.folder, task.seconds)

    def renew(self, token: int, name: str, lease: str) -> None:
        """Raises FarmRefused where the task is not this board's any more."""
        with self.database.write() as session:
            task, board = self.held(session, token, name, lease, change=True)
            now = self.now(session)
            task.lease_until = board.seen = now
            task.lease_until += self.lease_seconds

    def held(
        self, session: Session, token: int, name: str, lease: str, *, change: bool = False
    ) -> tuple[BoardTask, Board]:
        """What a board says is its own. `change`: nobody else changes it until the transaction ends. Raises
        FarmRefused, with the same words whatever is wrong."""
        wanted = select(BoardTask, Board).join(Board, Board.id == BoardTask.board_id)
        mine = wanted.where(BoardTask.name == name, BoardTask.state == "leased", Board.token_id == token)
        found = session.execute(mine.with_for_update(of=BoardTask) if change else mine).first()
        now = self.now(session)
        if found is None or not secrets.compare_digest(str(found[0].lease).encode(), lease.encode()):
            raise FarmRefused(404, "there is no such task of this board's")
        if _is_late(found[0], now) or found[0].wanted_until < now:
            raise FarmRefused(404, "the task's lease has run out, or nobody waits for it any more")
        return found[0], found[1]

    def sent(self, token: int, name: str, lease: str, outputs: str) -> None:
        """The outputs lie in the task's folder, under their digest. Raises FarmRefused."""
        with self.database.write() as session:
            self.held(session, token, name, lease, change=True)[0].outputs = outputs

    def finish(self, token: int, name: str, lease: str, answer: Mapping[str, Any], outputs: str | None) -> None:
        """Raises FarmRefused."""
        with self.database.write() as session:
            task, board = self.held(session, token, name, lease, change=True)
            wrong = fault(task.operation, task.question, answer)
            if wrong is None and task.operation == "run" and (outputs is None or outputs != task.outputs):
                wrong = "it did not send the outputs that it speaks of"
            if wrong is not None:
                self._end(session, task, lease, error=_error(FAILED, f"the board {board.name}: {wrong}", board.name))
            else:
                self._end(session, task, lease, answer=dict(answer))

    def fail(self, token: int, name: str, lease: str, message: str) -> None:
        """What went wrong there. Raises FarmRefused."""
        with self.database.write() as session:
            task, board = self.held(session, token, name, lease, change=True)
            error = _error(FAILED, f"on the board {board.name}: {message}", board.name)
            self._end(session, task, lease, error=error)

    def give_back(self, token: int, name: str, lease: str) -> None:
        """The agent is asked to stop. Raises FarmRefused."""
        with self.database.write() as session:
            task, board = self.held(session, token, name, lease, change=True)
            board.seen = self.now(session) - boards.ALIVE_SECONDS
            self._again(task, board.name, STOPPED, "its agent was stopped")

    def _end(self, session: Session, task: BoardTask, lease: str, **values: Any) -> None:
        """Once: whoever comes second, with the same lease too, is not heard."""
        state = "failed" if "error" in values else "done"
        mine = update(BoardTask).where(BoardTask.id == task.id, BoardTask.lease == lease, BoardTask.state == "leased")
        if changed_rows(session, mine.values(state=state, lease=None, lease_until=None, **values)) != 1:
            raise FarmRefused(404, "there is no such task of this board's")

    def _tidy(self, session: Session, now: float) -> None:
        """Take back what vanished boards had, and end what nobody took in time or waits for."""
        session.execute(delete(BoardTask).where(BoardTask.wanted_until < now))
        open_ = select(BoardTask).where(BoardTask.state.in_(("waiting", "leased"))).with_for_update()
        for task in session.scalars(open_).all():
            if task.state == "leased" and _is_late(task, now):
                self._mark_silent(session, task, now)
                self._again(task, task.tried[-1], LOST, f"it was not heard of for {self.lease_seconds:g} s")
            if task.state == "waiting" and task.hold is not None and not _is_there(session, task, now):
                self._again(task, str(task.board), LOST, "it does not ask for work any more")
            if task.state == "waiting" and task.not_after < now:
                task.state, task.error = "failed", _error(LATE, _not_taken(session, task, now), task.board)

    def _mark_silent(self, session: Session, task: BoardTask, now: float) -> None:
        """A board that has let its lease run out is not there, until it is heard of again."""
        board = session.get(Board, task.board_id) if task.board_id is not None else None
        if board is not None and board.seen + self.lease_seconds < now:
            board.seen = min(board.seen, now - boards.ALIVE_SECONDS)

    def _again(self, task: BoardTask, board: str, kind: str, reason: str) -> None:
        task.lease = task.lease_until = task.board_id = None
        task.state = "waiting"
        if task.hold is not None:
            task.state, task.error = (
                "failed",
                _error(kind, f"the board {board} vanished while it timed: {reason}", board),
            )
        elif len(task.tried) >= MAX_TRIES:
            names = ", ".join(task.tried)
            message = f"given up after {MAX_TRIES} boards vanished with it ({names}); of the last one: {reason}"
            task.state, task.error = "failed", _error(LOST, message, board)


def _is_late(task: BoardTask, now: float) -> bool:
    if task.state == "waiting":
        return task.not_after < now
    until = min(task.lease_until or 0.0, (task.leased or 0.0) + task.seconds + TOO_LONG_SECONDS)
    return task.state == "leased" and until < now


def _is_there(session: Session, task: BoardTask, now: float) -> bool:
    board = session.scalars(select(Board).where(Board.name == task.board)).first()
    return board is not None and boards.is_alive(board, now)


def _error(kind: str, message: str, board: str | None) -> dict[str, Any]:
    return {"kind": kind, "message": message, "board": board}


def _not_taken(session: Session, task: BoardTask, now: float) -> str:
    """Names the board, or those of the kind, and how they are."""
    found = boards.fitting(session, task.team_id, task.board, task.target)
    at_work = boards.busy(session)
    known = [
        f"{each.name} ({boards.health(each, now, each.id in at_work)}, last heard of"
        f" {datetime.fromtimestamp(each.seen, UTC):%Y-%m-%d %H:%M:%S} UTC)"
        for each in found
    ]
    what = f"the board {task.board}" if task.board is not None else f"every board of the kind {task.target}"
    had = f"; {', '.join(task.tried)} had the work and vanished" if task.tried else ""
    return f"{what} kept the work waiting for too long: {', '.join(known) or 'there is none any more'}{had}"


def _is_open(now: float) -> Any:
    vanished = (BoardTask.state == "leased") & (BoardTask.lease_until < now)
    return or_(BoardTask.state == "waiting", vanished)


def _open(board: Board, now: float) -> Any:
    """What could be for a board, or was another's that has vanished."""
    mine = or_(BoardTask.board == board.name, (BoardTask.board.is_(None)) & (BoardTask.target == board.target))
    waits = (BoardTask.state == "waiting") & BoardTask.team_id.in_(boards.works_for(board)) & mine
    return select(BoardTask.id).where(or_(waits, (BoardTask.state == "leased") & (BoardTask.lease_until < now)))


def _next(board: Board, now: float) -> Any:
    """Of the team that this board has served least lately, the oldest."""
    other = aliased(BoardTask)
    served = (
        select(func.coalesce(func.max(other.leased), 0.0))
        .where(other.team_id == BoardTask.team_id, other.leased.is_not(None))
        .correlate(BoardTask)
        .scalar_subquery()
    )
    mine = or_(BoardTask.board == board.name, (BoardTask.board.is_(None)) & (BoardTask.target == board.target))
    own = BoardTask.hold == board.hold
    hold = own if boards.is_held(board, now) else or_(BoardTask.hold.is_(None), own)
    waiting = select(BoardTask).where(BoardTask.state == "waiting", BoardTask.not_after >= now, mine, hold)
    ordered = waiting.where(BoardTask.team_id.in_(boards.works_for(board))).order_by(served, BoardTask.id)
    return ordered.with_for_update(skip_locked=True, of=BoardTask)
