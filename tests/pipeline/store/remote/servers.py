"""What speaks S3 on this machine's loopback: moto's server, which stands in for a real one. It keeps its objects in
memory, knows conditional puts and multipart uploads, and checks no signatures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

BUCKET = "artefacts"


@dataclass
class S3:
    """`environment`: what a client needs to find it. `asked`: method and path of every request so far."""

    environment: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def make_bucket(self) -> None:
        with urlopen(Request(f"{self.environment['AWS_ENDPOINT_URL_S3']}/{BUCKET}", method="PUT"), timeout=30):
            pass

    def puts(self, prefix: str) -> list[str]:
        """The names below `prefix` in the bucket, of requests that brought something."""
        start = f"/{BUCKET}/{prefix}/"
        return [path.removeprefix(start) for method, path in self.asked if method == "PUT" and path.startswith(start)]


@contextmanager
def s3_server(port: int = 0) -> Iterator[S3]:
    """Servers of one process share their objects, so a second one at the first one's port is the first one again."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
            pass

    asked: list[tuple[str, str]] = []
    moto = DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        answer: Iterable[bytes] = moto(environ, start_response)
        return answer

    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environment = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "a-test",
        "AWS_SECRET_ACCESS_KEY": "the-secret-of-a-test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        yield S3(environment, asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
