"""A service that may be killed, and is started again: what an operator's supervisor does."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from benchmarks.service_cluster import OF_A_CLUSTER, Tended
from benchmarks.service_server import Started, started
from dlpipe.errors import ToolMissing
from dlpipe.service.client import Client
from dlpipe.toolchains.jail.tree import processes
from tests.pipeline.postgresql_server import Server

PATIENCE = 3600.0  # seconds that a service which was killed may be away


class Supervised:
    """database: None is SQLite in `folder`. cluster: where the workers run, in place of beside the server."""

    def __init__(
        self, folder: Path, workers: int, lease: float, database: Server | None, cluster: Tended | None = None
    ) -> None:
        self._folder = folder
        self._cluster = cluster
        beside = workers if cluster is None else 0
        self._options = ("--workers", str(beside), "--lease", f"{lease:g}", "--allow-unjailed")
        self._server = database
        self._database = database.new_database() if database is not None else None
        self._token = secrets.token_hex(32)
        self._port = _free_port()
        self._running: tuple[ExitStack, Started] | None = None
        self._lock = threading.Lock()
        self.address = f"http://127.0.0.1:{self._port}"

    def begin(self) -> None:
        """For the first time: the cluster too."""
        self.start()
        if self._cluster is not None:
            database = {"DLPIPE_DATABASE": self._database} if self._database is not None else {}
            self._cluster.start({"DLPIPE_DATA_DIR": str(self._folder / "data"), **database})

    def start(self) -> None:
        """However often it takes: it does not start while its database does not answer."""
        while self._running is None:
            stack = ExitStack()
            with suppress(RuntimeError):
                made = stack.enter_context(
                    started(self._folder, *self._options, port=self._port, token=self._token, database=self._database)
                )
                self._running = stack, made
                return
            time.sleep(1.0)

    def stop(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
        with self._lock:
            if self._running is not None:
                self._running[0].close()
                self._running = None

    def kill(self, victim: str, chance: random.Random) -> str | None:
        """With SIGKILL. Returns what; None where there is no such process just now. Server and database are started
        again here."""
        with self._lock:
            if self._cluster is not None and victim in OF_A_CLUSTER:
                return self._cluster.kill(victim)
            if victim == "worker":
                found = self.workers()
                if found:
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(found), signal.SIGKILL)
                return victim if found else None
            if victim == "server":
                assert self._running is not None
                self._running[1].process.kill()
                self._running[0].close()
                self._running = None
                time.sleep(chance.uniform(0, 3))
                self.start()
                return victim
            assert self._server is not None
            self._server.stop(signal.SIGKILL)
            time.sleep(chance.uniform(0, 3))
            self._server.start()
            return victim

    def process_id(self) -> int:
        if self._running is None:
            raise OSError("it is not running")
        return self._running[1].process.pid

    def workers(self) -> list[int]:
        """The process ids of the workers, without the jobs'."""
        if self._cluster is not None:
            return self._cluster.workers()
        found = []
        for each in processes(self.process_id()):
            with suppress(OSError):
                if b"\0worker\0" in Path(f"/proc/{each}/cmdline").read_bytes():
                    found.append(each)
        return found

    def new_token(self) -> str:
        """Of a team of its own."""
        team = f"team {secrets.token_hex(4)}"
        self._ask("/teams", self._token, {"name": team})
        wanted = {"team": team, "name": "of a benchmark", "scopes": ["read", "submit"]}
        return str(json.loads(self._ask("/tokens", self._token, wanted))["secret"])

    def client(self, token: str) -> Client:
        """One that knows its server, and so waits for it."""
        self._ask("/whoami", token)
        client = Client(self.address, token, patience=PATIENCE)
        while True:
            with suppress(ToolMissing):
                client.whoami()
                return client
            time.sleep(0.5)

    def events(self, job: str, token: str) -> list[dict[str, Any]]:
        """Of a job that has ended."""
        lines = self._ask(f"/jobs/{job}/events", token).decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    def _ask(self, path: str, token: str, body: Any = None) -> bytes:
        """Again and again, while the server or its database is away."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/v1{path}", data=data, headers=headers)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    found: bytes = answer.read()
                    return found
            except urllib.error.HTTPError as error:
                if error.code == 422:  # made by the last try, whose answer was lost
                    return b""
                if error.code < 500 or time.monotonic() > deadline:
                    raise
            except (OSError, HTTPException):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
