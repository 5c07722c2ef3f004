"""The farm's rules, on a clock of the tests': who gets which task, and what becomes of one whose board vanishes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.service import accounts
from dlpipe.service.accounts import Caller
from dlpipe.service.database import Database, open_database
from dlpipe.service.farm import boards, openings
from dlpipe.service.farm.boards import FarmRefused
from dlpipe.service.farm.openings import Opening, Openings
from dlpipe.service.farm.tasks import MAX_TRIES, Farm, Given, Wanted
from dlpipe.service.tables import Board

LEASE = 30.0
RUN = {"machine": "aarch64", "tool": "a runtime 1.0", "samples": 3, "median_seconds": 0.001}
TIMES = {"seconds": [0.1, 0.2], "load_seconds": 1.0, "first_seconds": 0.3, "peak_rss": 1000}
OUTPUTS = "a" * 64


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


class Field:
    """A farm, its clock, and tokens of two teams' boards."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.farm = Farm(database, lease_seconds=LEASE, clock=self.clock)
        with database.write() as session:
            accounts.first_administrator(session, "a secret of more than twenty characters", self.clock.now)
            self.callers = {name: self._caller(session, name) for name in ("one", "two")}

    def _caller(self, session: Any, name: str) -> Caller:
        accounts.make_team(session, name, self.clock.now)
        _, secret = accounts.make_token(session, name, "board", ["board"], self.clock.now, None)
        found = accounts.caller(session, secret, self.clock.now)
        assert found is not None
        return found

    def board(self, name: str, team: str = "one", **about: Any) -> Agent:
        said = {"agent": 4, "name": name, "target": "arm64", "machine": "aarch64", "system": "Linux", **about}
        with self.farm.database.write() as session:
            board = boards.register(session, self.callers[team], said, self.clock.now)
            return Agent(self.farm, self.callers[team].token, name, board.session)

    def ask(self, team: str = "one", **more: Any) -> str:
        wanted: dict[str, Any] = {"board": None, "target": "arm64", "operation": "run", "question": {}, "files": {}}
        wanted |= {"folder": "jobs/x", "seconds": 600.0, "wait": 100.0, "team": self.callers[team].team}
        return self.farm.submit(Wanted(**{**wanted, **more}))

    def state(self, task: str) -> str:
        found = self.farm.look(task)
        assert found is not None
        return found.state

    def error(self, task: str) -> dict[str, Any]:
        found = self.farm.look(task)
        assert found is not None
        assert found.error is not None
        return found.error

    def wait(self, seconds: float, *wanted: str) -> None:
        """While somebody still waits for those tasks."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(until, self.clock.now + 20)
            for each in wanted:
                self.farm.look(each)


class Agent:
    def __init__(self, farm: Farm, token: int, name: str, session: str) -> None:
        self.farm, self.token, self.name, self.session = farm, token, name, session

    def take(self) -> Given | None:
        self.farm.seen(self.token, self.name, self.session)
        return self.farm.lease(self.token, self.name, self.session)

    def must_take(self) -> Given:
        given = self.take()
        assert given is not None
        return given

    def finish(self, given: Given, answer: dict[str, Any] = RUN, outputs: str | None = OUTPUTS) -> None:
        if outputs is not None:
            self.farm.sent(self.token, given.name, given.lease, outputs)
        self.farm.finish(self.token, given.name, given.lease, answer, outputs)


@pytest.fixture(params=["sqlite", "postgresql"])
def field(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Field]:
    sqlite = request.param == "sqlite"
    place: Any = tmp_path / "x.sqlite" if sqlite else request.getfixturevalue("postgresql").new_database()
    database = open_database(place)
    database.migrate()
    yield Field(database)
    database.close()


def test_a_task_ends_once(field: Field) -> None:
    agent, task = field.board("pi"), field.ask()
    given = agent.must_take()
    assert (given.name, agent.take()) == (task, None), "one at a time"
    agent.finish(given)
    found = field.farm.look(task)
    assert found is not None
    assert (found.state, found.answer, found.outputs, found.tried) == ("done", RUN, OUTPUTS, ["pi"])
    with pytest.raises(FarmRefused, match="no such task"):
        agent.finish(given, {**RUN, "samples": 4})
    assert field.farm.look(task).answer == RUN


def test_a_board_that_vanishes_is_followed_by_another_of_its_kind(field: Field) -> None:
    first, second, task = field.board("first"), field.board("second"), field.ask()
    other_kind = field.board("third", target="riscv64")
    lost = first.must_take()
    field.clock.now += LEASE - 1
    field.farm.renew(first.token, lost.name, lost.lease)
    field.clock.now += LEASE - 1
    assert second.take() is None, "the first one lives"
    field.clock.now += 2
    assert other_kind.take() is None
    given = second.must_take()
    assert given.name == task
    for late in (first.finish, lambda each: field.farm.renew(first.token, each.name, each.lease)):
        with pytest.raises(FarmRefused) as refused:
            late(lost)
        assert refused.value.status == 404
    second.finish(given)
    assert field.state(task) == "done"


def test_boards_that_wait_are_told_of_what_there_is(field: Field) -> None:
    assert field.farm.openings() == frozenset()
    agent = field.board("pi")
    field.ask()
    field.ask(board="other", target="riscv64")
    others = {Opening("other", None)}
    assert field.farm.openings() == {Opening(None, "arm64"), *others}
    agent.must_take()
    assert field.farm.openings() == others
    field.clock.now += LEASE + 1
    assert field.farm.openings() == {Opening(None, "arm64"), *others}, "its board has vanished"


def test_all_that_wait_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "POLL_SECONDS", 0.0)
    asked: list[None] = []
    found = Opening("pi", None)

    def ask() -> frozenset[Opening]:
        asked.append(None)
        return frozenset({found})

    async def story() -> None:
        waiting = Openings(ask)
        first, *rest = [asyncio.create_task(waiting.next()) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.gather(*rest) == [{found}] * 19
        assert len(asked) == 1
        assert await waiting.next() == {found}
        assert len(asked) == 2

    asyncio.run(story())


def test_a_task_that_takes_boards_with_it_is_given_up(field: Field) -> None:
    agent, task = field.board("pi"), field.ask(wait=1e4)
    for _ in range(MAX_TRIES):
        agent.must_take()
        field.wait(LEASE + 1, task)
    assert field.state(task) == "failed"
    assert "3 boards vanished with it (pi, pi, pi)" in field.error(task)["message"]


def test_nobody_waits_for_a_board_for_ever(field: Field) -> None:
    field.board("pi")
    named, any_, none = field.ask(board="pi", wait=90), field.ask(wait=90), field.ask(target="riscv64", wait=90)
    field.wait(91, named, any_, none)
    assert (
        "the board pi kept the work waiting for too long: pi (silent, last heard of 2001-"
        in field.error(named)["message"]
    )
    assert "every board of the kind arm64 kept the work waiting" in field.error(any_)["message"]
    assert "there is none any more" in field.error(none)["message"]


def test_an_agent_that_is_started_anew_or_stopped_leaves_its_task_at_once(field: Field) -> None:
    old, task = field.board("pi"), field.ask()
    had = old.must_take()
    new = field.board("pi")
    given = new.must_take()
    assert given.name == task
    with pytest.raises(FarmRefused) as refused:
        old.take()
    assert refused.value.status == 409
    with pytest.raises(FarmRefused):
        old.finish(had)
    field.farm.give_back(new.token, given.name, given.lease)
    assert field.state(task) == "waiting"


def test_what_nobody_waits_for_is_not_begun_and_not_gone_on_with(field: Field) -> None:
    agent = field.board("pi")
    begun = field.ask()
    given = agent.must_take()
    field.farm.forget(begun)
    with pytest.raises(FarmRefused):
        field.farm.renew(agent.token, given.name, given.lease)
    field.ask()
    field.wait(61)  # its worker was killed
    assert agent.take() is None


def test_a_board_works_for_its_team_and_for_those_that_an_administrator_names(field: Field) -> None:
    agent, task = field.board("pi", "one"), field.ask("two")
    assert agent.take() is None
    with field.farm.database.write() as session:
        board = session.get_one(Board, 1)
        with pytest.raises(FarmRefused, match="no team 'three'"):
            boards.share(session, board, ["three"])
        boards.share(session, board, ["two"])
    mine = field.ask("one")
    houses = set()
    for wanted in (task, mine):
        given = agent.must_take()
        assert given.name == wanted
        houses.add(given.house)
        agent.finish(given)
    assert len(houses) == 2, "nothing of one team's stays while the other's is worked on"
    with field.farm.database.write() as session:
        session.get_one(Board, 1).disabled = True
    field.ask("one")
    assert agent.take() is None


def test_the_team_that_was_served_least_lately_is_next(field: Field) -> None:
    agent = field.board("pi", "one")
    with field.farm.database.write() as session:
        boards.share(session, session.get_one(Board, 1), ["two"])
    tasks = [field.ask("one"), field.ask("one"), field.ask("two")]
    order = []
    for _ in tasks:
        field.clock.now += 1
        given = agent.must_take()
        order.append(tasks.index(given.name))
        agent.finish(given)
    assert order == [0, 2, 1]


def test_a_board_that_is_held_does_nothing_else(field: Field) -> None:
    agent, other = field.board("pi"), field.ask(wait=1e4)
    with field.farm.database.write() as session:
        held = boards.take_hold(session, boards.visible(session, field.callers["one"].team), "mine", field.clock.now)
        assert held is not None
        assert boards.take_hold(session, [held], "yours", field.clock.now) is None
    assert agent.take() is None
    question = {"handle": "h", "warmup": 1, "runs": 2}
    timing = field.ask(board="pi", operation="time", question=question, hold="mine")
    given = agent.must_take()
    agent.finish(given, TIMES, None)
    assert field.state(timing) == "done"
    second = field.ask(board="pi", operation="time", question=question, hold="mine")
    agent.must_take()
    field.wait(LEASE + 1, second)
    assert field.error(second)["kind"] == "lost", "what was timed before was timed there: it is not moved"
    with field.farm.database.write() as session:
        assert boards.take_hold(session, [session.get_one(Board, 1)], "mine", field.clock.now) is None, "it vanished"
    third = field.ask(board="pi", operation="time", question=question, hold="mine", wait=1e4)
    field.wait(boards.ALIVE_SECONDS + 1, third, other)
    assert field.error(third)["kind"] == "lost", "it does not wait for a board that has vanished"
    field.wait(boards.HOLD_SECONDS + 1, other)
    assert agent.must_take().name == other, "the hold of who vanished ends"


def test_a_name_belongs_to_a_token(field: Field) -> None:
    agent = field.board("pi", "one")
    with pytest.raises(FarmRefused, match="of another token"):
        field.board("pi", "two")
    with pytest.raises(FarmRefused) as refused:
        field.farm.lease(field.callers["two"].token, "pi", agent.session)
    assert refused.value.status == 404
    task = field.ask()
    given = agent.must_take()
    for spy in (
        lambda: field.farm.renew(field.callers["two"].token, task, given.lease),
        lambda: field.farm.finish(field.callers["two"].token, task, given.lease, RUN, OUTPUTS),
        lambda: field.farm.fail(agent.token, task, "another lease", "x"),
    ):
        with pytest.raises(FarmRefused, match="no such task"):
            spy()
    assert field.state(task) == "leased"
    for name in ("any", "", "A", "../x", "x" * 65):
        with pytest.raises(FarmRefused, match="no name of a board"):
            field.board(name)


@pytest.mark.parametrize(
    ("operation", "answer", "outputs", "said"),
    [
        ("run", {**RUN, "samples": "many"}, OUTPUTS, "no good samples"),
        ("run", {**RUN, "more": "x" * (1 << 20)}, OUTPUTS, "too long"),
        ("run", {**RUN, "median_seconds": float("inf")}, OUTPUTS, "no JSON"),
        ("run", {**RUN, "device": "\ud800"}, OUTPUTS, "no JSON"),
        ("run", RUN, None, "did not send the outputs"),
        ("time", {**TIMES, "seconds": [0.1]}, None, "another number of times"),
        ("time", {**TIMES, "seconds": [0.1, -1.0]}, None, "no good seconds"),
        ("time", {**TIMES, "verdict": "passed"}, None, "no good verdict"),
    ],
)
def test_a_wrong_answer_fails_the_task(
    tmp_path: Path, operation: str, answer: dict[str, Any], outputs: str | None, said: str
) -> None:
    database = open_database(tmp_path / "x.sqlite")
    database.migrate()
    field = Field(database)
    agent, task = field.board("pi"), field.ask(operation=operation, question={"runs": 2})
    agent.finish(agent.must_take(), answer, outputs)
    assert "the board pi: " in field.error(task)["message"]
    assert said in field.error(task)["message"]
    database.close()


def test_a_token_cannot_fill_the_list(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "MAX_BOARDS", 2)
    for name in ("pi-1", "pi-2", "pi-1"):
        field.board(name)
    with pytest.raises(FarmRefused, match="at most 2 boards"):
        field.board("pi-3")
    field.board("pi-3", "two")


def test_a_machine_is_known_by_what_it_is(field: Field) -> None:
    prints = []
    for more in ({}, {}, {"system": "another kernel"}):
        field.board("pi", **more)
        with field.farm.database.read() as session:
            prints.append(session.get_one(Board, 1).fingerprint)
    assert prints[0] == prints[1] != prints[2]
