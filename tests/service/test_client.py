"""The client against servers that are worse than ours."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dlpipe.errors import BadModel, ToolMissing, UserError
from dlpipe.service.client import Client

MODEL = b"0123456789" * 1000
REPORT = json.dumps({"selected": {"x86-64": {"path": "artifacts/x86-64"}}}).encode()
JOB = "job-0123456789abcdef"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a server for which `answer` speaks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def send(to: BaseHTTPRequestHandler, body: bytes, status: int = 200, *, announced: int | None = None) -> None:
    to.send_response(status)
    to.send_header("Content-Length", str(len(body) if announced is None else announced))
    to.end_headers()
    to.wfile.write(body)


def manifest(files: dict[str, bytes]) -> bytes:
    entries = {name: {"sha256": hashlib.sha256(text).hexdigest(), "size": len(text)} for name, text in files.items()}
    return json.dumps({"schema": "dlpipe.manifest/1", "files": entries}).encode()


def of_files(files: dict[str, bytes], sent: dict[str, bytes] | None = None) -> Answer:
    """Speaks of `files`, and sends `sent` where that is something else."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        name = to.path.partition("/artifacts/")[2]
        send(to, (sent or files)[name] if name else manifest(files))

    return answer


def test_a_download_goes_on_where_the_connection_broke(tmp_path: Path) -> None:
    files = {"model.onnx": MODEL, "report.json": REPORT, "artifacts/x86-64": b""}
    begun: list[int] = []

    def answer(to: BaseHTTPRequestHandler) -> None:
        if not to.path.endswith("model.onnx"):
            of_files(files)(to)
            return
        match = re.fullmatch(r"bytes=(\d+)-", to.headers["Range"])
        assert match is not None
        begun.append(int(match[1]))
        rest = MODEL[begun[-1] :]
        send(to, rest[:4000], 206, announced=len(rest))  # and hangs up

    with answering(answer) as address:
        Client(address, "token").fetch(JOB, tmp_path / "out")
    assert (tmp_path / "out" / "model.onnx").read_bytes() == MODEL
    assert begun == [0, 4000, 8000]


def test_another_content_than_the_manifests_is_not_kept(tmp_path: Path) -> None:
    files = {"model.onnx": MODEL, "report.json": REPORT}
    with answering(of_files(files, {**files, "model.onnx": MODEL[::-1]})) as address, pytest.raises(BadModel):
        Client(address, "token").fetch(JOB, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "a\\b", "a\nb", ""])
def test_a_name_that_leads_elsewhere_is_not_written(tmp_path: Path, name: str) -> None:
    with answering(of_files({name: b"x", "report.json": REPORT})) as address, pytest.raises(BadModel):
        Client(address, "token").fetch(JOB, tmp_path / "in" / "out")
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "in" / "out").exists()


def test_a_link_that_leads_elsewhere_is_not_made(tmp_path: Path) -> None:
    report = json.dumps({"selected": {"x86-64": {"path": "../../evil"}}}).encode()
    with answering(of_files({"report.json": report})) as address, pytest.raises(BadModel):
        Client(address, "token").fetch(JOB, tmp_path / "out")


def test_the_token_goes_nowhere_else() -> None:
    heard: list[str] = []
    with answering(lambda to: (heard.append(to.headers["Authorization"]), send(to, b"{}"))[1]) as elsewhere:

        def redirect(to: BaseHTTPRequestHandler) -> None:
            to.send_response(302)
            to.send_header("Location", elsewhere)
            to.send_header("Content-Length", "0")
            to.end_headers()

        with answering(redirect) as address, pytest.raises(UserError):
            Client(address, "token").whoami()
    assert heard == []


def test_a_server_that_comes_back_is_waited_for_and_one_that_never_was_is_not() -> None:
    answers = iter([503, 502, 200])
    with answering(lambda to: send(to, b'{"team": "a"}', next(answers))) as address:
        assert Client(address, "token").whoami()["team"] == "a"
    with pytest.raises(ToolMissing, match="does not answer"):
        Client(address, "token").whoami()


@pytest.mark.parametrize("server", ["", "host:7070", "ftp://host", "file:///etc", "http://", "http://user:word@host"])
def test_what_is_no_address(server: str) -> None:
    with pytest.raises(UserError):
        Client(server, "token")
