"""Debian's `docker-registry`, on loopback, and a service that gives tokens for it."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding


@dataclass(frozen=True)
class Registry:
    host: str
    storage: Path

    def blob(self, digest: str) -> Path:
        """The file that the registry keeps a blob in."""
        sha256 = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / sha256[:2] / sha256 / "data"


@contextmanager
def running(program: Path, folder: Path, auth: object = None) -> Iterator[Registry]:
    """A registry of its own in `folder`. auth: the section of that name of its configuration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": host},
        **({"auth": auth} if auth else {}),
    }
    (folder / "registry.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", folder / "registry.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(tuple_of(host), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield Registry(host, folder / "storage")
    finally:
        process.terminate()
        process.wait()


def tuple_of(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":")
    return name, int(port)


class Tokens:
    """Signs tokens for whoever says the right name and password, as registries' own services do (JWT, ES256)."""

    def __init__(self, folder: Path, login: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        made = made.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = made.sign(self._key, SHA256())
        self.bundle = folder / "bundle.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        self._login = login
        self.scopes: list[str] = []

    @contextmanager
    def served(self) -> Iterator[str]:
        """The address that they are had from."""
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                allowed = self.headers.get("Authorization") == f"Basic {tokens._login}"
                tokens.scopes.append(query["scope"])
                body = (
                    json.dumps({"token": tokens.token(query["service"], query["scope"])}).encode() if allowed else b""
                )
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()
        thread.join()
        server.server_close()

    def token(self, service: str, scope: str) -> str:
        kind, name, actions = scope.split(":")
        now = int(time.time())
        chain = base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()
        head = {"typ": "JWT", "alg": "ES256", "x5c": [chain]}
        access = [{"type": kind, "name": name, "actions": actions.split(",")}]
        body = {"iss": "tokens", "sub": "me", "aud": service, "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1"}
        text = ".".join(_url(json.dumps(each).encode()) for each in (head, {**body, "access": access}))
        r, s = utils.decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{_url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
