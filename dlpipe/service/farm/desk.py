"""What a job of a team asks of the farm, and waits for. Questions and answers are JSON (`toolchains/agent/farm.py` asks
them); whatever goes wrong is an answer too: {"error": {"kind", "message", "board"}}."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import update

from dlpipe.service.farm import boards
from dlpipe.service.farm.tasks import LATE, Farm, Wanted
from dlpipe.service.tables import Board, BoardTask

_FIRST_LOOK, _LAST_LOOK = 0.02, 0.5  # seconds between two looks at a task
GONE = "gone"


class Desk:
    """folder: below the service's data, where the files of the questions lie and outputs are put. wait: seconds that a
    board may let a task wait."""

    def __init__(self, farm: Farm, team: int, folder: str, wait: float) -> None:
        self._farm, self._team, self._folder, self._wait = farm, team, folder, wait

    def answer(self, asked: Mapping[str, Any], gone: Callable[[], bool]) -> dict[str, Any]:
        """gone: whether nobody waits for the answer any more."""
        name, target = asked.get("board"), str(asked.get("target") or "")
        match asked["ask"]:
            case "boards":
                return {"boards": self._boards(name, target)}
            case "hold":
                return self._hold(name, target, gone)
            case "release":
                return self._release(str(asked["hold"]))
            case "task":
                return self._task(asked, name, target, gone)
            case other:
                return _error("failed", f"nobody can ask {other!r} of the farm", None)

    def _boards(self, name: str | None, target: str) -> list[dict[str, Any]]:
        """Those that are meant, the ones that work first."""
        with self._farm.database.read() as session:
            now, at_work = self._farm.now(session), boards.busy(session)
            found = boards.fitting(session, self._team, name, target)
            ordered = sorted(found, key=lambda each: (each.disabled, not boards.is_alive(each, now), each.name))
            return [_shown(each) | {"health": boards.health(each, now, each.id in at_work)} for each in ordered]

    def _hold(self, name: str | None, target: str, gone: Callable[[], bool]) -> dict[str, Any]:
        hold, until = secrets.token_hex(16), time.monotonic() + self._wait
        while not gone():
            with self._farm.database.write() as session:
                self._farm.database.one_at_a_time(session)
                now = self._farm.now(session)
                fitting = boards.fitting(session, self._team, name, target)
                chosen = boards.take_hold(session, fitting, hold, now)
                if chosen is not None:
                    return {"hold": hold, "board": _shown(chosen)}
                at_work = boards.busy(session)
                known = [f"{each.name} ({boards.health(each, now, each.id in at_work)})" for each in fitting]
            if time.monotonic() > until:
                what = f"the board {name}" if name is not None else f"a board of the kind {target}"
                there = ", ".join(known) or "there is none"
                return _error(LATE, f"{what} was not to be had within {self._wait:g} s: {there}", name)
            time.sleep(_LAST_LOOK)
        return _error(GONE, "nobody waits for it any more", name)

    def _release(self, hold: str) -> dict[str, Any]:
        with self._farm.database.write() as session:
            session.execute(update(Board).where(Board.hold == hold).values(hold=None, hold_until=None))
        return {}

    def _task(
        self, asked: Mapping[str, Any], name: str | None, target: str, gone: Callable[[], bool]
    ) -> dict[str, Any]:
        task = self._farm.submit(
            Wanted(
                team=self._team,
                board=name,
                target=target,
                operation=str(asked["operation"]),
                question=self._own(asked["question"]),
                files=asked["files"],
                folder=self._folder,
                seconds=float(asked["seconds"]),
                wait=self._wait,
                hold=asked.get("hold"),
            )
        )
        try:
            return self._waited(task, gone)
        finally:
            self._farm.forget(task)

    def _own(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Programs stay loaded under a handle: no team has another's."""
        handle = {"handle": f"{self._team}:{question['handle']}"} if "handle" in question else {}
        return {**question, **handle}

    def _waited(self, name: str, gone: Callable[[], bool]) -> dict[str, Any]:
        pause = _FIRST_LOOK
        while not gone():
            task = self._farm.look(name)
            if task is None:
                break
            if task.state == "failed":
                return {"error": task.error}
            if task.state == "done":
                return {"answer": task.answer, "outputs": task.outputs, "task": name, "board": self._of(task)}
            time.sleep(pause)
            pause = min(_LAST_LOOK, pause * 1.3)
        return _error(GONE, "nobody waits for it any more", None)

    def _of(self, task: BoardTask) -> dict[str, Any]:
        with self._farm.database.read() as session:
            board = session.get(Board, task.board_id) if task.board_id is not None else None
            return _shown(board) if board is not None else {"name": task.tried[-1]}


def _shown(board: Board) -> dict[str, Any]:
    about = board.about
    return {
        "name": board.name,
        "target": board.target,
        "machine": about["machine"],
        "system": about["system"],
        "fingerprint": board.fingerprint,
    }


def _error(kind: str, message: str, board: str | None) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message, "board": board}}
