"""The routes for boards' agents, asked by boards that are up to no good."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from dlpipe.service.database import open_database
from dlpipe.service.farm.tasks import Farm, Wanted
from dlpipe.service.tables import Team

from .running import Answer, Service, eventually

ABOUT = {
    "agent": 4,
    "target": "arm64",
    "machine": "aarch64",
    "system": "Linux",
    "processor": "Cortex-A76",
    "governor": "ondemand",
    "isa": ["asimd"],
    "cores": 4,
    "memory": 1 << 33,
    "libc": "glibc 2.36",
    "python": "3.11.2",
    "runtimes": ["numpy"],
}
RUN = {"machine": "aarch64", "tool": "a runtime 1.0", "samples": 3, "median_seconds": 0.001}
NUMBERS = itertools.count()


@dataclass
class Fake:
    """A board of a team of its own, unless `token` says otherwise."""

    service: Service
    name: str
    team: str
    token: str
    session: str = ""

    def register(self, **more: Any) -> Answer:
        answer = self.service.ask("POST", "/boards", {**ABOUT, "name": self.name, **more}, token=self.token)
        if answer.status == 201:
            self.session = answer.json["session"]
        return answer

    def poll(self, seconds: float = 0) -> Answer:
        asked = {"session": self.session, "seconds": seconds}
        return self.service.ask("POST", f"/boards/{self.name}/poll", asked, token=self.token)

    def file(self, task: dict[str, Any], digest: str) -> Answer:
        head = {"Board-Lease": task["lease"]}
        return self.service.ask("GET", f"/board-tasks/{task['id']}/files/{digest}", token=self.token, headers=head)

    def send(self, task: dict[str, Any], content: bytes) -> Answer:
        head = {"Board-Lease": task["lease"]}
        return self.service.ask("PUT", f"/board-outputs/{task['id']}", content, token=self.token, headers=head)

    def tell(self, task: dict[str, Any], **told: Any) -> Answer:
        body = {"lease": task["lease"], **told}
        return self.service.ask("POST", f"/board-tasks/{task['id']}/result", body, token=self.token)


@pytest.fixture
def farm(idle: Service) -> Iterator[Farm]:
    database = open_database(idle.data / "service.sqlite")
    yield Farm(database)
    database.close()


def fake(idle: Service) -> Fake:
    number = next(NUMBERS)
    made = Fake(idle, f"fake-{number}", f"fakers {number}", idle.token(f"fakers {number}", "board"))
    assert made.register().status == 201
    return made


def ask(farm: Farm, idle: Service, board: Fake) -> tuple[str, dict[str, bytes]]:
    """A task for a board, and its files by digest."""
    contents = [f"{kind} of {board.name}".encode() for kind in ("artifact", "samples")]
    files = {hashlib.sha256(each).hexdigest(): each for each in contents}
    folder = f"jobs/{board.name}/1/board"
    place = idle.data / folder
    place.mkdir(parents=True, exist_ok=True)
    for digest, content in files.items():
        (place / digest).write_bytes(content)
    with farm.database.read() as session:
        team = session.scalars(select(Team.id).where(Team.name == board.team)).one()
    question = {"code": {"g.py": "pass"}, "guest": "g"}
    named = dict(zip(("artifact", "samples"), files, strict=True))
    return farm.submit(Wanted(team, board.name, "arm64", "run", question, named, folder, 60.0, 60.0)), files


def test_a_board_gets_what_it_is_to_work_with_and_nothing_else(idle: Service, farm: Farm) -> None:
    board, other = fake(idle), fake(idle)
    task, files = ask(farm, idle, board)
    hidden, theirs = ask(farm, idle, other)
    given = board.poll().json
    assert (given["id"], given["artifact"], given["samples"]) == (task, *files)
    for digest, content in files.items():
        assert board.file(given, digest).body == content
        assert given["sizes"][{v: k for k, v in given.items() if isinstance(v, str)}[digest]] == len(content)
    nobodys = board.file({**given, "id": f"task-{'0' * 16}"}, next(iter(files)))
    for digest in theirs:
        assert board.file(given, digest).status == 404
        spied = board.file({**given, "id": hidden}, digest)
        assert (spied.status, spied.body) == (404, nobodys.body), "nothing tells a task of others from none"
    assert board.file({**given, "lease": "guessed"}, next(iter(files))).status == 404
    assert other.file(given, next(iter(files))).status == 404, "the lease is of another token's board"


def test_a_result_counts_once_and_only_from_who_has_the_lease(idle: Service, farm: Farm) -> None:
    board, other = fake(idle), fake(idle)
    task, _ = ask(farm, idle, board)
    given = board.poll().json
    outputs = b"no archive, but that is another's concern"
    digest = hashlib.sha256(outputs).hexdigest()
    for intruder, lease in ((other, given["lease"]), (board, "0" * 32)):
        forged = {**given, "lease": lease}
        assert intruder.send(forged, b"forged").status == 404
        assert intruder.tell(forged, answer=RUN, outputs=digest).status == 404
        assert intruder.tell(forged, error={"status": 500, "message": "x"}).status == 404
        assert intruder.tell(forged, stopped=True).status == 404
    assert board.send(given, outputs).status == 204
    assert board.tell(given, answer=RUN, outputs=digest).status == 204
    assert board.tell(given, answer={**RUN, "samples": 1}, outputs=digest).status == 404
    assert board.send(given, b"something else, later").status == 404
    found = farm.look(task)
    assert found is not None
    assert (found.state, found.answer) == ("done", RUN)
    assert (idle.data / found.folder / task).read_bytes() == outputs


def test_outputs_that_are_too_large_leave_nothing(idle: Service, farm: Farm) -> None:
    board = fake(idle)
    ask(farm, idle, board)
    given = board.poll().json
    folder = idle.data / f"jobs/{board.name}/1/board"
    before = sorted(folder.iterdir())
    assert board.send(given, b"x" * (1 << 20) + b"x" * 100_000).status == 413
    assert sorted(folder.iterdir()) == before
    huge = {**RUN, "more": "x" * (9 << 20)}
    assert board.tell(given, answer=huge, outputs="0" * 64).status == 413


def test_outputs_count_for_the_team_that_asked(idle: Service, farm: Farm) -> None:
    board = fake(idle)
    ask(farm, idle, board)
    given = board.poll().json
    (team,) = [each["id"] for each in idle.ask("GET", "/teams").json if each["name"] == board.team]
    idle.ask("PATCH", f"/teams/{team}", {"max_bytes": 5000})
    assert board.send(given, b"x" * 3000).status == 204
    refused = board.send(given, b"x" * 3000)
    assert (refused.status, "no room for 3000 bytes" in refused.json["detail"]) == (413, True)
    assert "used" not in refused.json, "what the team has is no board's business"


def test_work_that_comes_while_a_board_waits_is_had_at_once(idle: Service, farm: Farm) -> None:
    board = fake(idle)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(board.poll, 30)
        time.sleep(1)
        task, _ = ask(farm, idle, board)
        assert waiting.result().json["id"] == task


def test_outputs_are_sent_once_at_a_time(idle: Service, farm: Farm) -> None:
    """Of each that is sent, as much is taken as of an upload: many at once would fill the disk."""
    board = fake(idle)
    ask(farm, idle, board)
    given = board.poll().json
    folder = idle.data / f"jobs/{board.name}/1/board"
    connection = http.client.HTTPConnection("127.0.0.1", idle.port, timeout=60)
    connection.putrequest("PUT", f"/api/v1/board-outputs/{given['id']}")
    for name, value in {"Authorization": f"Bearer {board.token}", "Board-Lease": given["lease"]}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"half of it")
    eventually(lambda: list(folder.glob("*.part")))
    assert board.send(given, b"these").status == 409
    connection.close()
    eventually(lambda: not list(folder.glob("*.part")))
    assert board.send(given, b"these").status == 204


def test_outputs_that_were_not_sent_fail_the_task(idle: Service, farm: Farm) -> None:
    board = fake(idle)
    task, _ = ask(farm, idle, board)
    given = board.poll().json
    assert board.send(given, b"these").status == 204
    assert board.tell(given, answer=RUN, outputs=hashlib.sha256(b"others").hexdigest()).status == 204
    found = farm.look(task)
    assert found is not None
    assert found.error is not None
    assert (found.state, "did not send the outputs" in found.error["message"]) == ("failed", True)


def test_a_name_is_taken_and_an_old_agent_is_told(idle: Service) -> None:
    board = fake(idle)
    stranger = Fake(idle, board.name, "strangers", idle.token("strangers", "board"))
    assert stranger.register().status == 409
    assert (stranger.poll().status, board.poll().status) == (404, 204)
    assert board.register(agent=2).status == 422
    old = Fake(idle, board.name, board.team, board.token, board.session)
    assert board.register().status == 201
    assert (old.poll().status, board.poll().status) == (409, 204)


def test_a_name_that_becomes_free_brings_nobody_else_trust(idle: Service) -> None:
    """Teams that let a board have their models meant that one."""
    board, other = fake(idle), fake(idle)
    friend = idle.token(f"friends of {board.name}", "read")
    assert idle.ask("PATCH", f"/boards/{board.name}", {"teams": [f"friends of {board.name}"]}).status == 200
    tokens = idle.ask("GET", "/tokens").json
    (mine,) = [each["id"] for each in tokens if each["team"] == board.team]

    def seen() -> list[str]:
        return [each["name"] for each in idle.ask("GET", "/boards", token=friend).json]

    board.token = idle.token(board.team, "board")
    assert board.register().status == 409, "not while the first token counts"
    assert idle.ask("DELETE", f"/tokens/{mine}").status == 204
    assert board.register().status == 201
    assert seen() == [board.name], "of the same team: it has a new token"
    for each in idle.ask("GET", "/tokens").json:
        if each["team"] == board.team:
            idle.ask("DELETE", f"/tokens/{each['id']}")
    assert Fake(idle, board.name, other.team, other.token).register().status == 201
    assert seen() == []


def test_an_administrator_shares_disables_and_removes_a_board(idle: Service, farm: Farm) -> None:
    board = fake(idle)
    where, guests = f"/boards/{board.name}", idle.token("guests", "read")
    listed = lambda token: [each["name"] for each in idle.ask("GET", "/boards", token=token).json]  # noqa: E731
    assert board.name not in listed(guests)
    shown = idle.ask("PATCH", where, {"teams": ["guests"]}).json
    assert (shown["teams"], shown["health"]) == ([board.team, "guests"], "idle")
    assert board.name in listed(guests)
    assert idle.ask("GET", "/boards", token=guests).json[0]["teams"] is None, "for whom else it works is not told"
    assert idle.ask("PATCH", where, {"teams": ["nobody knows"]}).status == 422
    assert idle.ask("PATCH", where, {"disabled": True}).json["health"] == "disabled"
    ask(farm, idle, board)
    assert board.poll().status == 204
    assert idle.ask("PATCH", where, {"disabled": False}).json["health"] == "idle"
    assert board.poll().status == 200
    assert idle.ask("GET", "/boards").json[-1]["health"] in ("busy", "idle")
    assert idle.ask("DELETE", where).status == 204
    assert board.poll().status == 404
    assert board.register().status == 201
