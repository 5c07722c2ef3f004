"""What stands before the routes: whose name the request calls, how often somebody asks, and how much he sends.

A body is read here, within a limit: a small one from anybody, a larger one only once its token was looked at, and of
all requests together no more than a budget. So strangers cost no memory. A route that takes files reads its body
itself.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anyio import fail_after
from anyio.to_thread import run_sync
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlpipe.service.api.cookies import NAMES
from dlpipe.service.api.state import CALLER
from dlpipe.service.oidc.fetching import ProviderTrouble
from dlpipe.service.rates import Rate, network

MAX_BODY = 8 << 20  # bytes, of everything but an upload: a job of 20,000 files takes some 3 MB
STRANGERS_BODY = 16 << 10  # bytes, of which nobody has shown a token
ALL_BODIES = 64 << 20  # bytes, of all requests that are being answered
BODY_SECONDS = 60.0
_KNOWN = 10_000
_PROBES = ("/healthz", "/readyz")  # asked by address, not by name
_READING = ("GET", "HEAD")
_NO_REFUSAL = (400, 503)  # it broke off, or what is missing is ours


@dataclass(frozen=True, slots=True)
class Manners:
    """hosts: names that the service answers to, in lower case, without a port; empty: any. requests: a second, of one
    token; failures: to sign in, a minute, from one address; at_once: requests that are being answered, of one token."""

    hosts: frozenset[str] = frozenset()
    requests: float = 500.0
    failures: float = 30.0
    at_once: int = 250


class Gate:
    """uploads: the paths below which a body may be as large as the route itself allows. known: whether a token or a
    session's secret is anybody's; it may ask the database. refuse: an answer of this status, text and headers, which a
    browser's user can read too. count: told of each refusal's address, status and reason."""

    def __init__(
        self,
        app: ASGIApp,
        manners: Manners,
        uploads: tuple[str, ...],
        known: Callable[[str | None, str | None], bool],
        refuse: Callable[[Scope, int, str, Mapping[str, str]], ASGIApp],
        count: Callable[[str, int, str], None],
    ) -> None:
        self._app = app
        self._answer = refuse
        self._count = count
        self._hosts = manners.hosts
        self._uploads = uploads
        self._is_known = known
        self._requests = Rate(manners.requests, max(1, round(4 * manners.requests)))
        self._failures = Rate(manners.failures / 60, max(1, round(manners.failures)))
        self._good: dict[str, None] = {}  # hashes of credentials that opened something: not shut out with their address
        self._at_once = manners.at_once
        self._answering = Counter[str]()  # by token, else by address
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._hosts and scope["path"] not in _PROBES and _host(headers) not in self._hosts:
            await self._refuse(scope, 421, "this service goes by another name", {})(scope, receive, send)
            return
        address = network(scope["client"][0]) if scope.get("client") else "?"
        shown = headers.get("authorization") or _cookie(headers)
        who = hashlib.sha256(shown.encode(errors="surrogateescape")).hexdigest() if shown else address
        guesses = shown is not None or scope["method"] not in _READING  # a form to sign in has its token in its body
        if guesses and who not in self._good and not (failed := self._failures.look(address)).allowed:
            detail = "too often a token of nobody's came from this address"
            told = {"Retry-After": _seconds(failed.wait)}
            await self._refuse(scope, 429, detail, told)(scope, receive, send)
            return
        asking = who if who in self._good else address
        taken = self._requests.take(asking)
        if not taken.allowed:
            given = {**self._told(taken.left, taken.wait), "Retry-After": _seconds(taken.wait)}
            detail = f"more than {self._requests.each:g} requests a second"
            await self._refuse(scope, 429, detail, given)(scope, receive, send)
            return
        if self._answering[asking] >= self._at_once:
            detail = f"more than {self._at_once} requests at once"
            await self._refuse(scope, 429, detail, {"Retry-After": "1"})(scope, receive, send)
            return
        found: dict[str, object] = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._told(taken.left, 0.0))
                if message["status"] == 401 and guesses:
                    self._failures.take(address)
                    self._good.pop(who, None)  # whoever has a token of his own guesses at another's no more often
                elif shown and CALLER in found:
                    if len(self._good) >= _KNOWN:
                        self._good.clear()
                    self._good[who] = None
            await send(message)

        self._answering[asking] += 1
        try:
            if scope["path"].startswith(self._uploads):
                await self._app(scope, receive, answer)
            else:
                await self._with_body(scope, headers, receive, answer)
        finally:
            self._answering[asking] -= 1
            if not self._answering[asking]:
                del self._answering[asking]

    def _refuse(self, scope: Scope, status: int, detail: str, headers: Mapping[str, str]) -> ASGIApp:
        self._count(scope["client"][0] if scope.get("client") else "?", status, detail)
        return self._answer(scope, status, detail, headers)

    async def _with_body(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        body = bytearray()
        held = 0

        def hold(more: int) -> bool:
            nonlocal held
            if self._held + more > ALL_BODIES:
                return False
            self._held += more
            held += more
            return True

        try:
            try:
                with fail_after(BODY_SECONDS):
                    refused = await self._read(headers, receive, body, hold)
            except TimeoutError:
                refused = (408, f"the request did not come within {BODY_SECONDS:g} s")
            if refused is not None:
                # Most senders hear nothing until they have sent all, so what still comes is thrown away, for as long
                # as the next head may take; only whoever is slow anyway is hung up on.
                more = {408: {"Connection": "close"}, 503: {"Retry-After": "1"}}.get(refused[0], {})
                told = self._answer if refused[0] in _NO_REFUSAL else self._refuse
                await told(scope, *refused, more)(scope, receive, send)
                return
            await self._app(scope, _once(bytes(body), receive), send)
        finally:
            self._held -= held

    async def _read(
        self, headers: Headers, receive: Receive, body: bytearray, hold: Callable[[int], bool]
    ) -> tuple[int, str] | None:
        """Into `body`. What is refused, and why."""
        announced = int(length) if (length := headers.get("content-length", "")).isdecimal() else 0
        if announced > MAX_BODY:
            return 413, f"a request may have {MAX_BODY} bytes"
        trusted = False
        while True:
            if not trusted and max(announced, len(body)) > STRANGERS_BODY:
                try:
                    trusted = await run_sync(self._is_known, _bearer(headers), _cookie(headers))
                except OperationalError:
                    return 503, "the service's database does not answer"
                except ProviderTrouble:
                    return 503, "the provider that signed this token does not answer"
                if not trusted:
                    return 401, f"without a token that is known, a request may have {STRANGERS_BODY} bytes"
            message = await receive()
            if message["type"] == "http.disconnect":
                return 400, "the request broke off"
            part: bytes = message.get("body", b"")
            if len(body) + len(part) > MAX_BODY:
                return 413, f"a request may have {MAX_BODY} bytes"
            if not hold(len(part)):
                return 503, "too many large requests at once"
            body += part
            if not message.get("more_body", False):
                return None

    def _told(self, left: int, wait: float) -> dict[str, str]:
        left_for = _seconds(wait) if wait else "1"
        return {"RateLimit-Policy": self._requests.policy, "RateLimit": f'"requests";r={left};t={left_for}'}


def _once(body: bytes, receive: Receive) -> Receive:
    handed = False

    async def take() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return take


def _host(headers: Headers) -> str:
    """Without the port."""
    given = headers.get("host", "").lower()
    name, colon, port = given.rpartition(":")
    return name if colon and port.isdecimal() else given


def _bearer(headers: Headers) -> str | None:
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" and secret else None


def _cookie(headers: Headers) -> str | None:
    """The secret of a browser's session."""
    found = cookie_parser(headers.get("cookie", ""))
    return next((found[name] for name in NAMES if found.get(name)), None)


def _seconds(wait: float) -> str:
    return str(max(1, math.ceil(wait)))
