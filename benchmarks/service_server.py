"""A real server for the service's benchmarks, and a client that costs little: many connections in one process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTENT = b"no model: nothing here looks into it"


@dataclass(frozen=True)
class Started:
    """`process`: of `dlpipe serve`."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def memory_mb(self) -> float:
        """Resident."""
        return memory_mb(self.process.pid)

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(
    folder: Path, *options: str, port: int = 0, token: str | None = None, database: str | None = None
) -> Iterator[Started]:
    """On this machine's loopback, its data in `folder`; ended afterwards, if it has not been before."""
    token = token or secrets.token_hex(32)
    environment = {**os.environ, "DLPIPE_DATA_DIR": str(folder / "data"), "DLPIPE_TOKEN": token}
    if database is not None:
        environment["DLPIPE_DATABASE"] = database
    command = [sys.executable, "-m", "dlpipe", "serve", "--port", str(port), *options]
    log = folder / "serve.log"
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=environment, stderr=file, text=True)
    try:
        while (found := re.search(rb"http://127\.0\.0\.1:(\d+)", log.read_bytes()[before:])) is None:
            if process.poll() is not None:
                raise RuntimeError(log.read_bytes()[before:].decode())
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        yield Started(process, int(found[1]), token)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait()


class Connection:
    """HTTP/1.1, kept; one call at a time."""

    def __init__(self, server: Started) -> None:
        self._server = server
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON. Raises OSError where the connection breaks, AssertionError for a refusal. One that
        the server has closed meanwhile, since nobody used it, is made anew."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        given = {
            "Host": "127.0.0.1",
            "Authorization": f"Bearer {self._server.token}",
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }
        head = f"{method} /api/v1{path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in given.items()) + "\r\n"
        try:
            if self._streams is not None and self._streams[0].at_eof():
                self.close()
            reader, writer = self._streams or await asyncio.open_connection("127.0.0.1", self._server.port)
            self._streams = reader, writer
            writer.write(head.encode() + data)
            told = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)^content-length: (\d+)", told, re.MULTILINE)
            text = await reader.readexactly(int(length[1])) if length else b""
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError(f"{method} {path}: {error}") from None
        if not told.startswith("HTTP/1.1 20"):
            raise AssertionError(f"{told.splitlines()[0]}: {text[:300]!r}")
        return json.loads(text) if text else None

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def sent(server: Started, content: bytes = CONTENT) -> str:
    """Its digest, once the server has it."""
    digest = hashlib.sha256(content).hexdigest()
    caller = Connection(server)
    await caller.ask("PUT", f"/uploads/{digest}", content, {"Content-Type": "application/octet-stream"})
    caller.close()
    return digest


async def everything(caller: Connection) -> list[str]:
    """The ids of all the team's jobs."""
    found: list[str] = []
    after = ""
    while True:
        page = await caller.ask("GET", f"/jobs?limit=200{after}")
        found += [each["id"] for each in page["jobs"]]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def memory_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
