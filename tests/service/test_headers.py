"""What every answer carries, and what none does: each route, by every method, asked as another site would."""

from __future__ import annotations

import http.client
import itertools

import pytest

from .running import ADMINISTRATOR, Answer, Service
from .test_access import RULES

MARK = "<script>alert(20180801)</script>"
HOSTILE = {"Host": "evil.example", "Origin": "https://evil.example", "Referer": f"https://evil.example/{MARK}"}
OTHERS = {"//", "/nothing", "//static/app.js", "//%3Cscript%3E", "//a/../etc"}
METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "POST", "CONNECT-ME")


@pytest.mark.parametrize("path", sorted({path for _, path in RULES.values()} | OTHERS))
def test_every_answer_is_guarded(idle: Service, path: str) -> None:
    query = f"{path}?q=%3Cscript%3Ealert(20180801)%3C/script%3E&state={MARK}"
    for method, token in itertools.product(METHODS, (None, ADMINISTRATOR)):
        body = f'{{"{MARK}": "{MARK}"}}'.encode() if method == "POST" else None
        answer = idle.ask(method, query, body, token=token, headers={**HOSTILE, "Content-Type": "application/json"})
        check(answer, method)


def check(answer: Answer, method: str) -> None:
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] in ("no-referrer", "same-origin")  # pages tell themselves, nobody else
    kind = headers.get("content-type", "")
    assert "no-store" in headers["cache-control"] or kind.startswith(("text/css", "text/javascript"))
    assert not [name for name in headers if name.startswith("access-control-")]
    assert not {"server", "x-powered-by"} & set(headers)
    assert "evil.example" not in str(headers)
    assert MARK.encode() not in answer.body
    if method in ("TRACE", "CONNECT-ME"):
        assert answer.status >= 400
    for cookie in [headers[name] for name in headers if name == "set-cookie"]:
        assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}


def test_what_is_no_http(idle: Service) -> None:
    """Two lengths, a head that is too long, a line that is none: refused before a route sees them."""
    for head in (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    ):
        connection = http.client.HTTPConnection("127.0.0.1", idle.port, timeout=60)
        connection.connect()
        try:
            connection.sock.sendall(head)
            said = connection.sock.recv(1000)
        except ConnectionError:
            said = b""
        finally:
            connection.close()
        assert b" 200 " not in said.split(b"\r\n")[0]
    assert idle.ask("GET", "//healthz", token=None).status == 200
