"""A small OpenID Connect provider on this machine, with real keys, which does what a test tells it to do wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "dlpipe-pages", "the client's: secret/ of a test"
Claims = dict[str, Any]


def new_keys() -> dict[str, RSAKey | ECKey]:
    return {
        "RS256": RSAKey.generate_key(2048, {"kid": "of rsa", "use": "sig"}),
        "ES256": ECKey.generate_key("P-256", {"kid": "of ec", "use": "sig"}),
    }


@dataclass
class Provider:
    """`person`: the claims of who signs in. `sign`: makes a token of claims; `document`: what it says of itself;
    `given`: of a code. Each may be put wrong by a test."""

    port: int = 0
    keys: dict[str, RSAKey | ECKey] = field(default_factory=new_keys)
    person: Claims = field(default_factory=dict)
    algorithm: str = "RS256"
    header: dict[str, Any] = field(default_factory=dict)
    wrong: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    given: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put_right(self) -> None:
        self.algorithm, self.header, self.wrong, self.sign, self.is_down = (
            "RS256",
            {},
            lambda claims: claims,
            None,
            False,
        )
        self.document = {}

    def token(self, audience: str, **claims: Any) -> str:
        now = int(time.time())
        whole = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 300, **self.person, **claims}
        whole = self.wrong(whole)
        if self.sign is not None:
            return self.sign(whole)
        key = self.keys[self.algorithm]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid, **self.header}, whole, key)

    def authorize(self, url: str) -> str:
        """What a browser does there: the person agrees, and it is sent back. Returns the address."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert query["response_type"] == "code"
        assert (query["client_id"], query["code_challenge_method"]) == (CLIENT, "S256")
        code = secrets.token_urlsafe(16)
        self.given[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """None: refused."""
        pair = base64.b64encode(b"dlpipe-pages:the%20client%27s%3A%20secret%2F%20of%20a%20test").decode()
        query = self.given.pop(form["code"], None)  # once
        if query is None or authorization != f"Basic {pair}":
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != query["code_challenge"]:
            return None
        if form["redirect_uri"] != query["redirect_uri"]:
            return None
        return {"id_token": self.token(CLIENT, nonce=query["nonce"]), "access_token": "x", "token_type": "Bearer"}

    def answer(self, path: str) -> dict[str, Any] | None:
        match path:
            case "/.well-known/openid-configuration":
                names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
                own = {name: self.issuer + place for name, place in names.items()}
                return {"issuer": self.issuer, **own, **self.document}
            case "/keys":
                return {"keys": [key.as_dict(private=False) for key in self.keys.values()]}
        return None


def unsigned(claims: Claims) -> str:
    return ".".join([_part({"alg": "none", "typ": "JWT"}), _part(claims), ""])


def hmac_by(key: RSAKey | ECKey) -> Callable[[Claims], str]:
    """Signed with the text of the public key as if it were a shared secret."""

    def sign(claims: Claims) -> str:
        text = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
        digest = hmac.new(key.as_pem(private=False), text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    return sign


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@contextmanager
def providing(**more: Any) -> Iterator[Provider]:
    provider = Provider(**more)

    class Handler(BaseHTTPRequestHandler):
        def _send(self, found: dict[str, Any] | None, refused: int) -> None:
            status = 503 if provider.is_down else 200 if found is not None else refused
            body = json.dumps(found or {"error": "no"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            provider.asked.append(self.path)
            if self.path.startswith("/authorize?"):  # by a browser
                self.send_response(302)
                self.send_header("Location", provider.authorize(provider.issuer + self.path))
                self.end_headers()
                return
            self._send(provider.answer(self.path), 404)

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(provider.exchange(form, self.headers.get("Authorization", "")), 400)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
