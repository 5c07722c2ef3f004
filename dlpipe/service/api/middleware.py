"""What holds for every answer: security headers, a limit on the size of requests, counts."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlpipe.service.api.metrics import Metrics
from dlpipe.service.api.problems import problem

MAX_BODY = 8 << 20  # bytes, of everything but an upload: a job of 20,000 files takes some 3 MB
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Guard:
    """uploads: the paths below which a body may be as large as the route itself allows."""

    def __init__(self, app: ASGIApp, metrics: Metrics, uploads: tuple[str, ...]) -> None:
        self._app = app
        self._metrics = metrics
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        method = scope["method"] if scope["method"] in _METHODS else "other"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                self._metrics.request(method, message["status"], time.monotonic() - started)
            await send(message)

        if scope["path"].startswith(self._uploads):
            await self._app(scope, receive, answer)
            return
        body = await _whole(receive)
        if body is None:
            await problem(413, f"a request may have {MAX_BODY} bytes")(scope, receive, answer)
            return
        handed = False

        async def once() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, once, answer)


async def _whole(receive: Receive) -> bytes | None:
    """None where it is too large."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body
