"""The agent of a farm against a service of the test's own, which does what ours never would."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dlpipe.toolchains.agent.program import text

TOKEN = "a token of the tests alone"
GUEST = """
import json, os, sys
artifact, samples, outputs = sys.argv[1:4]
open(outputs, "wb").write(b"outputs of " + open(os.path.join(artifact, "file"), "rb").read())
there = [name for name in os.listdir(os.path.dirname(artifact)) if len(name) == 64]
print("dlpipe", json.dumps({"result": {"there": there, "environment": dict(os.environ)}}), flush=True)
"""


def tar(content: bytes) -> tuple[str, bytes]:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        for name in ("file", "samples.npz"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return hashlib.sha256(made.getvalue()).hexdigest(), made.getvalue()


class Fake(ThreadingHTTPServer):
    """Hands out `tasks`, one after the other, and keeps what is told of them. Every other question for work fails."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.tasks: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, bytes] = {}
        self.about: dict[str, Any] = {}
        self.tokens: set[str | None] = set()
        self.polls = 0
        self.done = threading.Event()

    def task(self, house: str, artifact: bytes, sent: bytes | None = None) -> None:
        """sent: what is sent in its place."""
        digest, body = tar(artifact)
        self.files[digest] = body if sent is None else sent
        files = {"artifact": digest, "samples": digest, "sizes": {"artifact": len(body), "samples": len(body)}}
        more = {"code": {"g.py": GUEST}, "guest": "g", "seconds": 60, "lease_seconds": 30}
        name = f"task-{len(self.tasks)}"
        self.tasks.append({"id": name, "lease": "l", "house": house, "operation": "run", **files, **more})


class Answers(BaseHTTPRequestHandler):
    server: Fake

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.tokens.add(self.headers.get("Authorization"))
        what = self.path.removeprefix("/api/v1").split("/")[1:]
        if what == ["boards"]:
            self.server.about = json.loads(body)
            self.answer(201, {"session": "s"})
        elif what[-1] == "poll":
            self.server.polls += 1
            if self.server.polls % 2:
                self.answer(503, {"detail": "the database does not answer"})
            elif len(self.server.told) < len(self.server.tasks):
                self.answer(200, self.server.tasks[len(self.server.told)])
            else:
                self.server.done.set()
                self.answer(204)
        elif what[-1] == "result":
            self.server.told[what[1]] = json.loads(body)
            self.answer(204)
        elif what[0] == "board-outputs":
            self.server.outputs[what[1]] = body
            self.answer(204)
        else:
            self.answer(204)

    def do_PUT(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        body = self.server.files[self.path.rpartition("/")[2]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, status: int, body: Any = None) -> None:
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Fake]:
    with Fake() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_a_team_left_is_gone_before_the_next_and_no_token_reaches_a_program(service: Fake, tmp_path: Path) -> None:
    service.task("one", b"first")
    service.task("one", b"second")
    service.task("two", b"third")
    service.task("two", b"fourth", sent=b"something else")
    service.task("two", b"fifth", sent=b"x" * (1 << 20))
    (tmp_path / "agent.py").write_text(text())
    command = [sys.executable, tmp_path / "agent.py", "--server", f"http://127.0.0.1:{service.server_port}"]
    secrets = {"DLPIPE_TOKEN": TOKEN, "DLPIPE_AGENT_TOKEN": TOKEN}
    with subprocess.Popen(
        [*command, "--target", "x86-64", "--name", "bench", "--folder", tmp_path],
        env={**os.environ, **secrets},
        stderr=subprocess.PIPE,
        text=True,
    ) as agent:
        ended = service.done.wait(240)
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate(timeout=60)
    assert ended, said
    assert agent.returncode == 0, said
    assert service.tokens == {f"Bearer {TOKEN}"}
    assert (service.about["name"], service.about["target"]) == ("bench", "x86-64")
    assert service.about["cores"] >= 1
    first, second, third, fourth, fifth = (service.told[f"task-{number}"] for number in range(5))
    digests = [each["artifact"] for each in service.tasks]
    assert first["answer"]["there"] == digests[:1]
    assert sorted(second["answer"]["there"]) == sorted(digests[:2]), "what is here is not sent again"
    assert third["answer"]["there"] == digests[2:3], "nothing of the other team's"
    for number in range(3):
        assert not secrets.keys() & service.told[f"task-{number}"]["answer"]["environment"].keys()
        outputs = service.outputs[f"task-{number}"]
        assert service.told[f"task-{number}"]["outputs"] == hashlib.sha256(outputs).hexdigest()
    assert service.outputs["task-2"] == b"outputs of third"
    for broken in (fourth, fifth):
        assert "something else than it named" in broken["error"]["message"]
    assert TOKEN not in said
