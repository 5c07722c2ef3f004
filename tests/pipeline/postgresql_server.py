"""A PostgreSQL server of Debian's, on a socket of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from dlpipe.errors import ToolMissing
from dlpipe.toolchains import Registry, Toolchains


@dataclass
class Server:
    """`socket`: the folder of its socket, its data and its log."""

    socket: Path
    _command: Sequence[str | Path] = ()
    _environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def start(self) -> None:
        """Until it answers. One that was killed may leave processes which keep the next from starting for a while."""
        deadline = time.monotonic() + 120
        while not self.answers():
            if self._process is None or self._process.poll() is not None:
                with (self.socket / "log").open("a") as log:
                    self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
            assert time.monotonic() < deadline, (self.socket / "log").read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait()

    def answers(self) -> bool:
        try:
            psycopg.connect(host=str(self.socket), user="dlpipe", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def new_database(self) -> str:
        """Its address."""
        name = f"lineage{next(self._numbers)}"
        with psycopg.connect(host=str(self.socket), user="dlpipe", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://dlpipe@/{name}?host={self.socket}"


@contextmanager
def running(repo_root: Path, folder: Path) -> Iterator[Server]:
    """Its data and socket lie in `folder`. Skips the test where the server cannot be had. It refuses to be root, so for
    root it runs in a user namespace as somebody."""
    try:
        definitions = Registry([repo_root / "tests" / "toolchains" / "definitions"])
        root = Toolchains(registry=definitions).ensure("test-postgresql").root
    except ToolMissing as error:
        pytest.skip(f"not run: {error.message}")
    if os.uname().machine != "x86_64":
        pytest.skip("not run: the server is a program for x86-64")
    somebody: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("bwrap") is None:
            pytest.skip("not run: PostgreSQL does not run as root, and there is no bwrap to be somebody else with")
        somebody = [
            "bwrap",
            "--die-with-parent",
            "--dev-bind",
            "/",
            "/",
            "--unshare-user",
            "--uid",
            "1000",
            "--gid",
            "1000",
        ]
        if subprocess.run([*somebody, "true"], check=False).returncode:
            pytest.skip("not run: PostgreSQL does not run as root, and bwrap cannot be somebody else here")
    programs = next((root / "usr/lib/postgresql").iterdir()) / "bin"
    share = next((root / "usr/share/postgresql").iterdir())
    libraries = ":".join(str(root / each) for each in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
    data = folder / "data"
    made = subprocess.run(
        [*somebody, programs / "initdb", "-D", data, "-A", "trust", "-U", "dlpipe", "--no-sync", "--locale=C",
         "--encoding=UTF8", "-L", share],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    command = [*somebody, programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    server = Server(folder, command, environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()
