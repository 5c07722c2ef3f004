"""What holds for every answer: security headers, counts."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlpipe.service.api.metrics import Metrics
from dlpipe.service.api.problems import problem

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_ENCRYPTED = {"Strict-Transport-Security": "max-age=31536000"}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Guard:
    """count: told of the address, status and reason of each request that ends here."""

    def __init__(self, app: ASGIApp, metrics: Metrics, count: Callable[[str, int, str], None]) -> None:
        self._app = app
        self._metrics = metrics
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        method = scope["method"] if scope["method"] in METHODS else "other"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (_HEADERS | _ENCRYPTED if scope["scheme"] == "https" else _HEADERS).items():
                    headers.setdefault(name, value)
                self._metrics.request(method, message["status"], time.monotonic() - started)
            await send(message)

        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            # Where does it end? A proxy before us may have gone by the other of the two, and hold what follows for
            # somebody else's request.
            detail = "a request has a Content-Length or a Transfer-Encoding, not both"
            self._count(_address(scope), 400, detail)
            await problem(400, detail, {"Connection": "close"})(scope, receive, answer)
            return
        if method == "other":  # TRACE tells what a browser keeps from scripts
            detail = "the service does not know this method"
            self._count(_address(scope), 501, detail)
            await problem(501, detail)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else "?"
