"""What a provider says of itself, and when it is asked."""

from __future__ import annotations

import http.server
import threading
from typing import Any

import pytest

from dlpipe.service.oidc.fetching import ProviderTrouble, is_address
from dlpipe.service.oidc.provider import AGAIN_SECONDS, FRESH_SECONDS, Provider

from .provider import new_keys, providing


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "http://user@127.0.0.1/keys"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": ["x"]},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=repr,
)
def test_a_provider_that_leads_elsewhere(wrong: dict[str, Any]) -> None:
    with providing(document=wrong) as real, pytest.raises(ProviderTrouble):
        Provider(real.issuer).sign_in_url(state="x")


def test_only_a_provider_on_this_machine_leads_to_this_machine() -> None:
    from dlpipe.service.oidc.provider import _checked

    said = {"issuer": "https://id.example", "jwks_uri": "http://127.0.0.1/keys"}
    with pytest.raises(ProviderTrouble, match="jwks_uri"):
        _checked(said, "https://id.example")
    assert _checked({**said, "jwks_uri": "https://keys.example/x?y"}, "https://id.example")


@pytest.mark.parametrize(
    ("text", "remote", "here"),
    [
        ("https://id.example/realms/x", True, True),
        ("http://127.0.0.1:8080", False, True),
        ("http://[::1]:8080/x", False, True),
        ("http://localhost", False, True),
        ("http://id.example", False, False),
        ("http://127.0.0.1.evil.example", False, False),
        ("http://127.0.0.1@evil.example", False, False),
        ("https://id.example#x", False, False),
        ("https://id.example?x", False, False),
        ("https://", False, False),
        ("https://id.example:port", False, False),
        ("https://id.example /x", False, False),
        ("file:///etc/passwd", False, False),
        ("", False, False),
    ],
)
def test_what_is_an_address(text: str, remote: bool, here: bool) -> None:
    assert (is_address(text, loopback=False), is_address(text, loopback=True)) == (remote, here)


def test_it_is_asked_now_and_then() -> None:
    now = 0.0
    with providing() as real:
        provider = Provider(real.issuer, clock=lambda: now)
        for _ in range(5):
            provider.keys("of rsa")
            provider.keys("of nobody")
        assert real.asked.count("/keys") == 1
        real.keys = {
            name: type(key).import_key(key.as_dict() | {"kid": f"new {name}"}) for name, key in new_keys().items()
        }
        now = AGAIN_SECONDS + 1
        assert {key.kid for key in provider.keys("new RS256")} == {"new RS256", "new ES256"}, "the old ones are gone"
        real.is_down = True
        now += FRESH_SECONDS + 1
        for _ in range(5):
            assert provider.keys("new RS256"), "what it said before holds on"
        assert len([path for path in real.asked if "well-known" in path]) == 3


def test_keys_that_are_no_keys_are_passed_over() -> None:
    with providing() as real:
        good = [key.as_dict(private=False) for key in real.keys.values()]
        shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}
        odd = [shared, {"kty": "RSA"}, {"kty": "later"}, "x", {**good[0], "kid": "to encrypt", "use": "enc"}]
        real.answer = lambda path, answer=real.answer: {"keys": odd + good} if path == "/keys" else answer(path)
        assert [key.kid for key in Provider(real.issuer).keys(None)] == ["of rsa", "of ec"]
        real.answer = lambda path, answer=real.answer: {"keys": odd} if path == "/keys" else answer(path)
        with pytest.raises(ProviderTrouble, match="no key"):
            Provider(real.issuer).keys(None)


@pytest.mark.parametrize("how", ["redirect", "no JSON", "endless", "deep"])
def test_an_answer_that_is_none(how: str) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if how == "redirect" else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write({"endless": b" " * (2 << 20), "deep": b"[" * 100_000}.get(how, b"<html>"))

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with pytest.raises(ProviderTrouble):
            Provider(f"http://127.0.0.1:{server.server_port}").keys(None)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == ["/.well-known/openid-configuration"]
