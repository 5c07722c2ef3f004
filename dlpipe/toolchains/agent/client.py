"""The host's side of a board's agent: artefacts and samples go there once, outputs and times come back.

The answer's signature is checked, so that nobody on the way can make a wrong model pass.
"""

from __future__ import annotations

import hmac
import http.client
import io
import json
import os
import secrets
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed, ToolMissing, UserError
from dlpipe.toolchains.agent.parts.common import ABOUT, TOKEN, VERSION, sha256, signature

_CONNECT_SECONDS = 20
_PORT = 7077
_STARTED_ANEW, _NOT_HERE = 409, 410


class _Declined(StageFailed):
    """By the agent, which says with `status` what would be to be done first."""

    status = 0


class Agent:
    """url: http://HOST:PORT. Raises UserError for another, ToolMissing where there is no token in the environment."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._host, self._port = address(url)
        self._token = os.environ.get(TOKEN, "")
        self._session: str | None = None
        if not self._token:
            raise ToolMissing(f"the agent at {url} wants its token", hint=f"set {TOKEN} to what it was started with")

    def about(self) -> dict[str, Any]:
        """Name, machine (as `uname -m` says it), system, processor, governor of its clock."""
        found: dict[str, Any] = json.loads(self._exchange("GET", ABOUT, b"", 60, None))
        return found

    def run(self, call: Call, inputs: Mapping[str, Path]) -> tuple[dict[str, Any], bytes]:
        """(what the program said and the board it ran on, outputs.npz)."""
        answer = self._do("/v1/run", call, inputs, {})
        length = int.from_bytes(answer[:8], "big")
        return json.loads(answer[8 : 8 + length]), answer[8 + length :]

    def time(self, call: Call, inputs: Mapping[str, Path]) -> dict[str, Any]:
        """As a `time` operation; params: handle, warmup, runs."""
        wanted = {key: call.params[key] for key in ("handle", "warmup", "runs")}
        found: dict[str, Any] = json.loads(self._do("/v1/time", call, inputs, wanted))
        return found

    def _do(self, path: str, call: Call, inputs: Mapping[str, Path], wanted: Mapping[str, Any]) -> bytes:
        """Once more where what was sent has made room for others' in the meantime."""
        seconds = call.limits.wall_seconds
        for last in (False, True):
            asked = {**self._sent(call, inputs), **wanted, "seconds": seconds}
            try:
                return self._ask("POST", path, json.dumps(asked).encode(), seconds)
            except _Declined as error:
                if last or error.status != _NOT_HERE:
                    raise
        raise AssertionError("unreachable")

    def _sent(self, call: Call, inputs: Mapping[str, Path]) -> dict[str, Any]:
        folders = {name: self._send(inputs[name]) for name in ("artifact", "samples")}
        return {**folders, "code": call.params["code"], "guest": call.params["guest"]}

    def _send(self, folder: Path) -> str:
        body = packed(folder)
        digest = sha256(body)
        if not json.loads(self._ask("GET", f"/v1/folders/{digest}", b"", 60))["there"]:
            self._ask("PUT", f"/v1/folders/{digest}", body, 3600)
        return digest

    def _ask(self, method: str, path: str, body: bytes, seconds: float) -> bytes:
        """Once more where the agent has been started anew: it has done nothing then."""
        for last in (False, True):
            self._session = self._session or self._of_now()
            try:
                return self._exchange(method, path, body, seconds, self._session)
            except _Declined as error:
                if last or error.status != _STARTED_ANEW:
                    raise
                self._session = None
        raise AssertionError("unreachable")

    def _of_now(self) -> str:
        about = self.about()
        if about["agent"] != VERSION:
            raise StageFailed(
                f"the agent at {self._url} is of version {about['agent']}, and this dlpipe speaks with {VERSION}",
                hint="put this dlpipe's own there: dlpipe agent --export agent.py",
                board=self._url,
            )
        return str(about["session"])

    def _exchange(self, method: str, path: str, body: bytes, seconds: float, session: str | None) -> bytes:
        moment, nonce, digest = f"{time.time():.3f}", secrets.token_hex(16), sha256(body)
        signed = (method, path, moment, nonce, digest, *([session] if session else []))
        headers = {
            "Dlpipe-Body": digest,
            "Dlpipe-Time": moment,
            "Dlpipe-Nonce": nonce,
            "Dlpipe-Signature": signature(self._token, *signed),
            **({"Dlpipe-Session": session} if session else {}),
        }
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
            connection.sock.settimeout(seconds + _CONNECT_SECONDS)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise StageFailed(
                f"the agent at {self._url} does not answer: {str(error).strip() or type(error).__name__}",
                hint="is `dlpipe agent` running there, and can this machine reach it?",
                board=self._url,
            ) from error
        finally:
            connection.close()
        wanted = signature(self._token, "answer", str(response.status), nonce, sha256(answer))
        if not hmac.compare_digest(wanted, response.headers.get("Dlpipe-Signature", "")):
            raise StageFailed(f"the answer of {self._url} is not the agent's: its signature is wrong", board=self._url)
        if response.status != 200:
            message = json.loads(answer).get("error", "it failed")
            if response.status == 401:
                raise UserError(f"the agent at {self._url}: {message}", hint=f"compare {TOKEN} on both machines")
            declined = _Declined(f"on the board at {self._url}: {message}", board=self._url)
            declined.status = response.status
            raise declined
        return answer


def address(url: str) -> tuple[str, int]:
    """(host, port) of http://HOST:PORT. Raises UserError for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, _PORT if parts.port is None else parts.port
    except ValueError:  # a port that is none, brackets that do not close
        host, port = None, 0
    if not host or not port or parts.scheme != "http" or url.rstrip("/") != f"http://{parts.netloc}" or "@" in url:
        raise UserError(f"{url!r} is no address of an agent", hint="http://HOST:PORT; ssh -L brings one near")
    return host, port


def packed(folder: Path) -> bytes:
    """A tar of the folder's files: the same bytes for the same files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = path.stat().st_size, 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)
    return made.getvalue()
