"""A real server on this machine's loopback, and how a test asks it: by the command, or by bare HTTP."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlpipe.toolchains.jail.tree import processes
from tests.e2e.user import Finished, User

ADMINISTRATOR = "the-first-administrators-secret-of-a-test"
NO_MODEL = b"\x08 no model"  # which only who looks into it can tell: it begins as a message of ONNX does
PATIENCE = 180.0  # seconds until a test gives up; nothing is asserted about how long something takes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """`dlpipe serve` in a data folder of its own. `user` shares its cache only as far as the service shares it."""

    user: User
    data: Path
    options: tuple[object, ...] = ()
    port: int = 0
    process: subprocess.Popen[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> None:
        before = len(self.log())
        given = ("--port", str(self.port), *map(str, self.options))
        with self._log_file().open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "dlpipe", "serve", *given],
                cwd=self.user.folder,
                env=self.user.environment({**self._ours(), **self.environment}),
                stdin=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        process = self.process
        eventually(lambda: process.poll() is not None or "\n" in self.log()[before:])
        said = self.log()[before:]
        assert said.startswith("dlpipe: serving on http://127.0.0.1:"), said
        self.port = int(said.split(",")[0].rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(60)

    def _log_file(self) -> Path:
        return self.user.folder / "serve.log"

    def log(self) -> str:
        return self._log_file().read_text() if self._log_file().exists() else ""

    def dlpipe(self, *args: object, token: str = ADMINISTRATOR) -> Finished:
        return self.user.dlpipe(*args, env={**self._ours(), "DLPIPE_TOKEN": token})

    def ok(self, *args: object, token: str = ADMINISTRATOR) -> Finished:
        done = self.dlpipe(*args, token=token)
        assert done.code == 0, f"{args}: exit {done.code}\n{done.out}\n{done.err}\n{self.log()}"
        return done

    def begin(self, *args: object, token: str = ADMINISTRATOR) -> subprocess.Popen[str]:
        """A command, not waited for."""
        return subprocess.Popen(
            self.user.command(*args),
            cwd=self.user.folder,
            env=self.user.environment({**self._ours(), "DLPIPE_TOKEN": token}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = ADMINISTRATOR,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """path: below /api/v1 unless it begins with `//`. A body that is no bytes is sent as JSON."""
        given = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if body is not None and not isinstance(body, bytes):
            body, given = json.dumps(body).encode(), {**given, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            place = path[1:] if path.startswith("//") else "/api/v1" + path
            connection.request(method, place, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def token(self, team: str, *scopes: str, **more: Any) -> str:
        """Of a new token; the team is made where there is none."""
        self.ask("POST", "/teams", {"name": team})
        made = self.ask("POST", "/tokens", {"team": team, "name": "a test", "scopes": scopes, **more})
        assert made.status == 201, made.body
        return str(made.json["secret"])

    def upload(self, content: bytes, *, token: str = ADMINISTRATOR) -> str:
        """Its digest."""
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        assert self.ask("PUT", f"/uploads/{digest}", content, token=token).status == 201
        return digest

    def submit(self, *, token: str = ADMINISTRATOR, headers: Mapping[str, str] | None = None, **asked: Any) -> Answer:
        """A job of NO_MODEL, unless `asked` says otherwise."""
        model = {"files": {"model.onnx": self.upload(NO_MODEL, token=token)}, "entry": "model.onnx"}
        return self.ask("POST", "/jobs", {"model": model, "targets": ["x86-64"], **asked}, token=token, headers=headers)

    def events(self, job: str) -> list[dict[str, Any]]:
        """Of a job that has ended."""
        text = self.ask("GET", f"/jobs/{job}/events").body.decode()
        return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]

    def worker(self) -> int:
        """The process id of the worker that the server started."""
        assert self.process is not None
        return eventually(
            lambda: next(iter([p for p in processes(self.process.pid) if "worker" in command_of(p)]), None)
        )

    def _ours(self) -> dict[str, str]:
        return {
            "DLPIPE_DATA_DIR": str(self.data),
            "DLPIPE_SERVER": f"http://127.0.0.1:{self.port}",
            "DLPIPE_TOKEN": ADMINISTRATOR,
        }


@contextmanager
def serving(user: User, data: Path, *options: object, **environment: str) -> Iterator[Service]:
    service = Service(user, data, options, environment=environment)
    try:
        service.start()
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)
    return found


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(family: list[int]) -> list[int]:
    """Those that still run; a process that has ended and waits for its parent to ask does not."""
    found = []
    for process in family:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(process)
    return found


def all_routes(routes: Any) -> list[Any]:
    """Of an application: those of the routers that are included too."""
    found: list[Any] = []
    for route in routes:
        inner = getattr(route, "original_router", None)
        found += all_routes(inner.routes) if inner is not None else [route]
    return found
