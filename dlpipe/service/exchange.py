"""Questions to a service over HTTP: who asks, how long it is waited for, what a refusal says."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.parse import urlsplit

from dlpipe.errors import ToolMissing, UserError

Answer = dict[str, Any]  # as in the service's OpenAPI document
_SECONDS = 60  # without any answer
_AGAIN = frozenset({429, 502, 503, 504})


class Server:
    """patience: seconds that a server which answered before is waited for. Methods raise UserError for what the server
    refuses, ToolMissing where it does not answer."""

    def __init__(self, address: str, token: str | None, *, patience: float) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
            raise UserError(f"{address!r} is no address of a service", hint="DLPIPE_SERVER, e.g. http://127.0.0.1:7070")
        if not token:
            raise UserError("the service wants a token", hint="set DLPIPE_TOKEN; its administrator makes them")
        self.address = address.rstrip("/")
        self._root = f"{self.address}/api/v1"
        self._token = token
        self.patience = patience
        self._answered = False
        self._opener = urllib.request.build_opener(NoRedirects)

    def json(self, method: str, where: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        data = json.dumps(body).encode() if body is not None else None
        kind = {"Content-Type": "application/json"} if body is not None else {}
        found: Answer = json.loads(self.call(method, where, data, {**kind, **(headers or {})})[0])
        return found

    def call(
        self,
        method: str,
        where: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        sink: Callable[[HTTPResponse], None] | None = None,
    ) -> tuple[bytes, HTTPMessage]:
        """The answer's body and headers. Every request may be sent twice: none of them does more the second time.
        A `sink` takes the body instead, and its caller asks for what is missing. Raises as the class says."""
        request, deadline, waiting = self._request(method, where, data, headers or {}), None, Waiting()
        while True:
            try:
                with self._opener.open(request, timeout=_SECONDS) as answer:
                    self._answered = True
                    if sink is None:
                        return answer.read(), answer.headers
                    sink(answer)
                    return b"", answer.headers
            except urllib.error.HTTPError as error:
                self._answered = True
                if error.code not in _AGAIN:
                    raise _refused(error) from None
                said: object = f"{error.code} {error.reason}"
            except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as error:
                said = getattr(error, "reason", error)
                if sink is not None:
                    return b"", HTTPMessage()
            deadline = deadline or time.monotonic() + (self.patience if self._answered else 0)
            if time.monotonic() >= deadline:
                hint = "is it running? --server or DLPIPE_SERVER says where: dlpipe serve prints it"
                raise ToolMissing(f"the service at {self.address} does not answer: {said}", hint=hint)
            waiting.sleep()

    def put(self, where: str, headers: Mapping[str, str], file: IO[bytes]) -> None:
        """A connection that breaks is no error: the next look says how far it came."""
        try:
            with self._opener.open(self._request("PUT", where, file, headers), timeout=_SECONDS):
                pass
        except urllib.error.HTTPError as error:
            if error.code not in _AGAIN | {408, 409}:
                raise _refused(error) from None
            time.sleep(0.5)
        except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError):
            time.sleep(0.5)

    def _request(
        self, method: str, where: str, data: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> urllib.request.Request:
        own = {"Authorization": f"Bearer {self._token}", "Accept": "application/json, */*"}
        return urllib.request.Request(  # noqa: S310 - http or https, see __init__
            self._root + where, data=data, method=method, headers={**own, **headers}
        )


class Waiting:
    """A little longer each time, up to two seconds."""

    def __init__(self) -> None:
        self._seconds = 0.1

    def sleep(self) -> None:
        time.sleep(self._seconds)
        self._seconds = min(2.0, self._seconds * 1.5)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer that is not wanted: what is sent, a token above all, is for this server alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


class NotFound(UserError):
    pass


def _refused(error: urllib.error.HTTPError) -> UserError:
    try:
        told = json.loads(error.read())
        detail, hint = str(told["detail"]), told.get("hint")
    except (ValueError, KeyError, TypeError, OSError):
        detail, hint = f"{error.code} {error.reason}", None
    kind = NotFound if error.code == 404 else UserError
    if error.code in (401, 403):
        hint = hint or "DLPIPE_TOKEN holds the token"
    return kind(f"the service refuses: {detail}", hint=hint)
