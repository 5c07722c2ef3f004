"""Files to a service and from it, each in as many pieces as connections break."""

from __future__ import annotations

import hashlib
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import IO

from dlpipe.errors import BadModel, ToolMissing, UserError
from dlpipe.service.exchange import NotFound, Server, Waiting

_BLOCK = 1 << 20
_TRIES = 5  # at one upload that does not get on


def upload(server: Server, path: Path) -> str:
    """The file's digest, once the service has it."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size, stands, tries = file.tell(), -1, 0
            while True:
                offset, complete = _uploaded(server, digest)
                if complete:
                    return digest
                tries = 0 if offset > stands else tries + 1
                if tries >= _TRIES:
                    raise ToolMissing(f"the service does not take {path}: it stays at byte {offset} of {size}")
                stands = offset
                # All of it may be there unchecked, where the server was killed at that: without a rest to send, it
                # is sent again.
                _put(server, digest, file, offset if offset < size else 0, size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _uploaded(server: Server, digest: str) -> tuple[int, bool]:
    try:
        _, headers = server.call("HEAD", f"/uploads/{digest}")
        return int(headers["Upload-Offset"]), headers["Upload-Complete"] == "?1"
    except NotFound:
        return 0, False


def _put(server: Server, digest: str, file: IO[bytes], offset: int, size: int) -> None:
    file.seek(offset)
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size - offset)}
    if offset:
        headers["Content-Range"] = f"bytes {offset}-{size - 1}/{size}"
    server.put(f"/uploads/{digest}", headers, file)


def download(server: Server, where: str, path: Path, sha256: str, size: int) -> None:
    """Goes on where a connection broke."""
    path.touch()
    waiting, deadline = Waiting(), time.monotonic() + server.patience
    while (have := path.stat().st_size) < size:

        def append(answer: HTTPResponse) -> None:
            with path.open("ab") as file:
                while block := answer.read(_BLOCK):
                    file.write(block)

        server.call("GET", where, None, {"Range": f"bytes={have}-"}, append)
        if path.stat().st_size > have:
            waiting, deadline = Waiting(), time.monotonic() + server.patience
        elif time.monotonic() > deadline:
            raise ToolMissing(f"{server.address} stopped sending {path.name} at byte {have} of {size}")
        else:
            waiting.sleep()
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise BadModel(f"the service sent another {path.name} than its manifest says", hint="fetch again")
