"""What speaks S3 on this machine's loopback, of two kinds.

- moto's server, which stands in for a real one. It keeps its objects in memory, knows conditional puts and multipart
  uploads, and checks no signatures.
- OpenStack Swift with its `s3api`: a real object store, which checks signatures and keeps its objects on disk. It takes
  some seconds to start, and is asked for with DLPIPE_TEST_S3=swift.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe.toolchains import Registry, Toolchains

BUCKET = "artefacts"
ACCESS, SECRET = "lab:tester", "the-secret-of-a-test"


@dataclass
class S3:
    """`environment`: what a client needs to find it."""

    environment: Mapping[str, str]
    _asked: Callable[[], list[tuple[str, str]]]

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of every request so far."""
        return self._asked()

    def make_bucket(self) -> None:
        import botocore.session

        client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        )
        client.create_bucket(Bucket=BUCKET)
        client.close()

    def puts(self, prefix: str) -> list[str]:
        """The names below `prefix` in the bucket, of requests that brought something."""
        start = f"/{BUCKET}/{prefix}/"
        return [path.removeprefix(start) for method, path in self.asked if method == "PUT" and path.startswith(start)]


def asked_for(folder: Path) -> AbstractContextManager[S3]:
    """The kind that DLPIPE_TEST_S3 says. `folder`: an empty one."""
    return swift_server(folder) if os.environ.get("DLPIPE_TEST_S3") == "swift" else s3_server()


def _environment(port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def s3_server() -> Iterator[S3]:
    """moto's. Servers of one process share their objects."""
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

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield S3(_environment(server.server_port), lambda: list(asked))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def swift_server(folder: Path) -> Iterator[S3]:
    """Its data lie in `folder`, an empty one."""
    definitions = Path(__file__).parents[3] / "toolchains" / "definitions"
    root = Toolchains(registry=Registry([definitions])).ensure("test-swift").root
    program = Path(__file__).with_name("swift_program.py")
    command = [root / "bin" / "python", "-W", "ignore", program, folder, ACCESS, SECRET]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline()
        assert port, (folder / "log").read_text()

        def asked() -> list[tuple[str, str]]:
            lines = (folder / "asked").read_text().splitlines()
            return [(method, path) for method, _, path in (line.partition(" ") for line in lines)]

        yield S3(_environment(int(port)), asked)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
