"""Who asks too often, too much, too slowly, or by another name."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from dlpipe.service import connections
from dlpipe.service.api import gate
from dlpipe.service.api.gate import Gate, Manners
from dlpipe.service.api.problems import problem
from dlpipe.service.rates import Rate, network
from tests.e2e.user import make_user

from .running import ADMINISTRATOR, PATIENCE, Answer, Service, eventually, serving


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Believes the proxy on the loopback, so that each test comes from an address of its own."""
    folder = tmp_path_factory.mktemp("strict")
    options = ("--workers", 0, "--failures", 3)
    names = ("--behind-proxy", "127.0.0.1", "--allowed-host", "farm.test")
    with serving(make_user(folder), folder / "data", *options, *names) as service:
        yield service


def ask(
    service: Service, address: str, path: str = "/whoami", token: str | None = ADMINISTRATOR, **more: str
) -> Answer:
    headers = {"Host": "Farm.Test:7070", "X-Forwarded-For": address}
    return service.ask("GET", path, token=token, headers=headers | {k.replace("_", "-"): v for k, v in more.items()})


def test_guesses_are_counted_by_address(strict: Service) -> None:
    assert ask(strict, "192.0.2.1").status == 200
    assert [ask(strict, "192.0.2.1", token=f"guess-{n}").status for n in range(4)] == [401, 401, 401, 429]
    refused = ask(strict, "192.0.2.1", token="guess")
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.headers["content-type"] == "application/problem+json"
    assert ask(strict, "192.0.2.1").status == 200, "who shares the address and was let in before is not shut out"
    assert ask(strict, "192.0.2.2", token="guess").status == 401, "another address is not meant"
    assert ask(strict, "192.0.2.1", "//healthz", token=None).status == 200


def test_a_page_that_opens_clears_nobody_of_guessing(strict: Service) -> None:
    """What is open to anybody answers 200 to any token."""
    for n in range(3):
        assert ask(strict, "192.0.2.11", "//healthz", token=f"guess-{n}").status == 200
        assert ask(strict, "192.0.2.11", token=f"guess-{n}").status == 401
    assert ask(strict, "192.0.2.11", "//healthz", token="guess-3").status == 429


def sign_in(service: Service, address: str, token: str, **more: str) -> Answer:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    headers = {"Host": "farm.test", "X-Forwarded-For": address, **kind, **more}
    return service.ask("POST", "//login", f"token={token}".encode(), token=None, headers=headers)


def test_guesses_in_the_form_are_counted_too(strict: Service) -> None:
    """With a session of his own as well."""
    cookie = sign_in(strict, "192.0.2.12", ADMINISTRATOR).headers["set-cookie"].partition(";")[0]
    assert ask(strict, "192.0.2.12", token=None, Cookie=cookie).status == 200
    statuses = [sign_in(strict, "192.0.2.12", "guess", Cookie=cookie).status for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    refused = sign_in(strict, "192.0.2.12", "guess", **{"Accept-Language": "zh"})
    assert (refused.status, refused.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "错误令牌" in refused.body.decode(), "a page, for it was a page's form"
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert ask(strict, "192.0.2.12", "//login", token=None).status == 200


def test_over_tls_the_cookie_is_bound_to_it(strict: Service) -> None:
    given = sign_in(strict, "192.0.2.13", ADMINISTRATOR, **{"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert given.startswith("__Host-dlpipe=")
    assert "secure" in given.lower()


def test_requests_are_counted_by_token(tmp_path: Path) -> None:
    """At one request a second, which the slowest machine outruns. What was refused is told when the server ends."""
    options = ("--workers", 0, "--rate", 1, "--allowed-host", "127.0.0.1")
    with serving(make_user(tmp_path), tmp_path / "data", *options) as service:
        made = service.ask("POST", "/tokens", {"team": "default", "name": "busy", "scopes": ["read"]})
        answers = [service.ask("GET", "/whoami", token=made.json["secret"]) for _ in range(40)]
        refused = next(answer for answer in answers if answer.status != 200)
        assert refused.status == 429
        assert refused.headers["ratelimit-policy"] == '"requests";q=4;w=4'
        assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
        assert int(refused.headers["retry-after"]) >= 1
        assert answers[0].headers["ratelimit"].startswith('"requests";r=')
        assert service.ask("GET", "/whoami").status == 200, "another token is not meant"
        assert service.ask("GET", "/whoami", headers={"Host": "evil.example"}).status == 421
        assert service.ask("TRACE", "/whoami").status == 501
        service.stop()
        told = {each["subject"]: each for each in service.ok("service", "audit", "--json").json}
        refusals = [answer for answer in answers if answer.status == 429]
        often = told["more than 1 requests a second"]
        assert (often["details"], often["address"]) == ({"status": 429, "requests": len(refusals)}, "127.0.0.1")
        assert (often["action"], often["outcome"]) == ("request.refused", "refused")
        assert told["this service goes by another name"]["details"]["status"] == 421
        assert told["the service does not know this method"]["details"]["status"] == 501


def test_it_goes_by_its_own_name(strict: Service) -> None:
    for host in ("evil.example", "farm.test.evil.example", "127.0.0.1", "farm.test@evil.example", "[::1]"):
        assert ask(strict, "192.0.2.4", Host=host).status == 421, host
    assert ask(strict, "192.0.2.4", "//healthz", token=None, Host="10.0.0.7:7070").status == 200


def test_browsers_are_told_to_stay_with_tls(strict: Service, idle: Service) -> None:
    assert "max-age" in ask(strict, "192.0.2.5", X_Forwarded_Proto="https").headers["strict-transport-security"]
    assert "strict-transport-security" not in ask(strict, "192.0.2.5").headers
    made_up = idle.ask("GET", "/whoami", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" not in made_up.headers, "nobody is believed unless the operator says so"


@pytest.mark.parametrize("length", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("token", ["", "Authorization: Bearer of-nobody-at-all\r\n"])
def test_a_strangers_large_body_is_not_read(idle: Service, length: str, token: str) -> None:
    with socket.create_connection(("127.0.0.1", idle.port), timeout=60) as connection:
        head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{token}{length}\r\n\r\n"
        connection.sendall(head.encode())
        if "chunked" in length:
            connection.sendall(b"4e20\r\n" + b" " * 20_000 + b"\r\n")
        answer = connection.recv(100)  # while most of the body is still to come
    assert answer.startswith(b"HTTP/1.1 401"), answer


@given(st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=60))
def test_a_bucket_gives_no_more_than_it_holds_and_gets(pauses: list[float]) -> None:
    now = 0.0
    rate = Rate(2.0, 5, clock=lambda: now)
    taken = 0
    for pause in pauses:
        now += pause
        answer = rate.take("me")
        taken += answer.allowed
        if not answer.allowed:
            now += answer.wait + 1e-9
            assert rate.look("me").allowed, "as long as it said"
        assert taken <= 5 + 2.0 * now + 1e-6
    assert rate.take("another").allowed


def test_all_bodies_together_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "ALL_BODIES", 250)
    statuses: list[int] = []

    async def ask(guarded: Gate, release: asyncio.Event) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"x" * 100, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "POST", "path": "/x", "headers": [], "client": ("192.0.2.1", 1)}
        await guarded({**scope, "release": release}, receive, send)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"x" * 100
        await scope["release"].wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def story() -> None:
        guarded, release = (
            Gate(app, Manners(), ("/uploads/",), lambda *_: False, lambda _, *said: problem(*said), print),
            asyncio.Event(),
        )
        held = [asyncio.create_task(ask(guarded, release)) for _ in range(2)]
        await asyncio.sleep(0)
        await ask(guarded, release)
        assert statuses == [503]
        release.set()
        await asyncio.gather(*held)
        await ask(guarded, release)

    asyncio.run(story())
    assert statuses == [503, 200, 200, 200]


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def listening(app: Any = _hello, servers: list[uvicorn.Server] | None = None, **more: Any) -> Iterator[tuple[str, int]]:
    """A server of our connections; its address. `servers`: gets the server itself."""
    given: dict[str, Any] = {"lifespan": "off", "http": connections.Connection, "ws": "none", "log_config": None}
    given |= {"proxy_headers": False}
    server = uvicorn.Server(uvicorn.Config(app, port=0, **given, **more))
    if servers is not None:
        servers.append(server)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that what nobody reads stays with us
        listening.bind(("0.0.0.0", 0))  # so that clients have several addresses
        listening.listen()
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        eventually(lambda: server.started)
        try:
            yield "127.0.0.1", listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["new", "kept"])
def test_a_head_that_never_ends(monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    """On a new connection, and on one whose first request was answered."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    with listening() as place, socket.create_connection(place, timeout=60) as connection:
        if first:
            connection.sendall(first)
            assert connection.recv(1000).startswith(b"HTTP/1.1 204")
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert connection.recv(1000) == b"", "it has hung up"


@pytest.mark.parametrize("pieces", [1, 1000], ids=["closed", "in the middle"])
def test_whoever_does_not_take_his_answer_loses_his_place(monkeypatch: pytest.MonkeyPatch, pieces: int) -> None:
    """Of which some waits: what a buffer holds once all is answered and closed, or an answer that goes on."""
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)
    ended = threading.Event()

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        for left in range(pieces, 0, -1):
            await send({"type": "http.response.body", "body": b"x" * 40_000, "more_body": left > 1})
        ended.set()

    servers: list[uvicorn.Server] = []
    with listening(long, servers) as place, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect(place)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ended.wait(PATIENCE)
        eventually(lambda: not servers[0].server_state.connections)


def test_one_token_is_not_answered_everywhere_at_once() -> None:
    """Or else whoever follows enough jobs, or reads slowly on enough connections, has all places."""
    statuses: list[tuple[str, int]] = []
    told: list[tuple[object, ...]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await scope["release"].wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(guarded: Gate, release: asyncio.Event, address: str) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append((address, message["status"]))

        scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "client": (address, 1)}
        await guarded({**scope, "release": release}, receive, send)

    async def story() -> None:
        count = lambda *what: told.append(what)  # noqa: E731
        given = Manners(at_once=2), ("/uploads/",), lambda *_: False, lambda _, *said: problem(*said), count
        guarded, release = Gate(app, *given), asyncio.Event()
        held = [asyncio.create_task(ask(guarded, release, each)) for each in ("one", "one", "other")]
        await asyncio.sleep(0)
        await ask(guarded, release, "one")
        assert statuses == [("one", 429)]
        release.set()
        await asyncio.gather(*held)
        await ask(guarded, release, "one")

    asyncio.run(story())
    assert [status for _, status in statuses] == [429, 200, 200, 200, 200]
    assert told == [("one", 429, "more than 2 requests at once")]


def status_of(place: tuple[str, int], address: str) -> bytes:
    """Of a request from an address; nothing where it is hung up on."""
    with socket.create_connection(place, timeout=60, source_address=(address, 0)) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection.recv(1000)[9:12]
        except ConnectionError:
            return b""


def test_connections_that_are_idle_shut_nobody_out() -> None:
    with listening(limit_concurrency=8) as place, ExitStack() as idle:
        for number in range(40):
            source = (f"127.0.0.{number % 4 + 1}", 0)
            idle.enter_context(socket.create_connection(place, timeout=60, source_address=source))
        assert status_of(place, "127.0.0.9") == b"204"
        assert status_of(place, "127.0.0.1") == b"204"


def test_one_address_has_half_of_all_places_at_most() -> None:
    """Though something is being answered on each."""
    begun, answered = threading.Semaphore(0), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            begun.release()
            await asyncio.to_thread(answered.wait)
        await _hello(scope, receive, send)

    with listening(slow, limit_concurrency=8) as place, ExitStack() as held:
        for _ in range(4):
            connection = held.enter_context(socket.create_connection(place, timeout=60))
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            assert begun.acquire(timeout=60)
        try:
            assert status_of(place, "127.0.0.1") == b""
            assert status_of(place, "127.0.0.9") == b"204"
        finally:
            answered.set()


def test_a_network_of_ipv6_is_one_that_asks(strict: Service) -> None:
    """Whoever has one has 2^64 addresses."""
    statuses = [ask(strict, f"2001:db8:1:2::{n}", token="guess").status for n in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert ask(strict, "2001:db8:1:3::1", token="guess").status == 401
    assert ask(strict, "::ffff:192.0.2.21", token="guess").status == 401, "a network of IPv4 is many people's"
    assert [network(each) for each in ("::ffff:192.0.2.1", "fe80::1%eth0", "unix:")] == [
        "192.0.2.1",
        "fe80::/64",
        "unix:",
    ]


def test_where_a_request_ends_is_said_once(idle: Service) -> None:
    """A proxy that goes by the other of two lengths would take what follows for another client's request."""
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", idle.port), timeout=60) as connection:
        connection.sendall(b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\n" + both)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(1000), b""))
    assert (said.count(b"HTTP/1.1 "), said[:13]) == (1, b"HTTP/1.1 400 ")
