"""A span for each request, which goes on with the trace of whoever asks (`traceparent`)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlpipe.service.api.middleware import METHODS
from dlpipe.service.tracing import spans


class Traced:
    """Of a request it tells the method, the route as the code has it, and the status: paths and queries name jobs and
    what somebody looks for. prefix: of the API's paths."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"
        parent = Headers(scope=scope).get("traceparent")
        with spans.span(method, "server", {"http.request.method": method}, parent=parent) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set({"http.response.status_code": message["status"]})
                    if message["status"] >= 500:
                        span.failed(str(message["status"]))
                await send(message)

            await self._app(scope, receive, answer)
            route: str | None = getattr(scope.get("route"), "path", None)
            if route is not None:
                if scope["path"].startswith(f"{self._prefix}/") and not route.startswith(self._prefix):
                    route = self._prefix + route  # a router that is included into another one knows its own part
                span.name(f"{method} {route}")
                span.set({"http.route": route})
