"""A converter as it really comes, in the jail: `mnnconvert` of MNN 3.6.1.

What it does besides converting, as its Python files say (MNN/tools/utils/log.py and MNN/tools/mnnconvert.py):

- When imported it looks for `aliyun.log`, the client of a log service. Where that is not there it runs
  `os.system("pip install -U aliyun-log-python-sdk")`, with the pip that comes first on PATH, unpinned, and then imports
  the client once more. An exception is swallowed by the importer, without a word. `MNN.tools` imports mnnquant too, so
  all of this happens twice per conversion.
- With the client there, still on import, it asks a function of the vendor's cloud for temporary credentials, over
  HTTPS; the address stands in base64 in the source. Any exception is swallowed.
- After the conversion it sends the machine's id (/etc/machine-id), the operating system, the version, the model's uuid
  and sizes, and the command line without the names of the files. Without credentials it prints
  "network not available..." instead.

So there are two cases, a toolchain for each: the wheel alone tries to install, and with what it would have installed it
phones home. Seen in both: the model is converted all the same, exit status 0, in every kind of jail.
"""

from __future__ import annotations

import hashlib
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.call import Call
from dlpipe.toolchains import Registry, Toolchains
from dlpipe.toolchains.environment import Environment
from dlpipe.toolchains.jail import JailKind

pytestmark = pytest.mark.slow

HOME = "1032277949409193.cn-hangzhou.fc.aliyuncs.com:443"
PIP = "the tool tried to run `pip install -U aliyun-log-python-sdk`: refused (a conversion has no network)"
PHONE = f"the tool tried to reach `{HOME}`: blocked (a conversion has no network)"
MODEL = '<ir_version: 8, opset_import: ["": 13]> g (float[1, 4] x) => (float[1, 4] y) { r = Relu(x) y = Add(x, r) }'

NewPool = Callable[..., Any]


@pytest.fixture(scope="module")
def known(repo_root: Path) -> Toolchains:
    """With MNN, which only this test uses, in the user's own cache."""
    return Toolchains(registry=Registry([repo_root / "tests" / "toolchains" / "definitions"]))


class Converter:
    """`mnnconvert` of one toolchain in one kind of jail."""

    def __init__(
        self,
        kind: JailKind,
        environment: Environment,
        core: Environment,
        new_pool: NewPool,
        repo_root: Path,
        here: Path,
    ) -> None:
        self.environment = environment
        self.here = here
        self.log = here / "convert.log"
        self._worker = repo_root / "tests" / "toolchains" / "definitions" / "mnn" / "worker.py"
        self._pool = new_pool(kind, environment, core)
        build = Call("core", repo_root / "tests" / "graphs" / "worker.py", "build", {"text": MODEL})
        self._pool.run(build, {}, here / "model")

    def convert(self, environ: Mapping[str, str] | None = None) -> list[str]:
        """Convert, check that the result computes y = x + max(x, 0) and that nothing else was written; the notes."""
        call = Call(self.environment.name, self._worker, "convert", {"environ": dict(environ or {})})
        events: list[Mapping[str, Any]] = []
        with self._pool.worker(self.environment.name) as worker:
            place = worker.place()
            shutil.copytree(self.here / "model", place.inputs / "model")
            before = self._everything()
            assert worker.call(call, place, events.append, self.log) == 0
            result = place.out / "model.mnn"
            after = self._everything()
            assert set(after) - set(before) == {result, self.log}
            assert {path: after.get(path) for path in before} == before

            place_of_run = worker.place("run")
            (place_of_run.inputs / "model").mkdir()
            shutil.copy(result, place_of_run.inputs / "model")
            run = Call(self.environment.name, self._worker, "run", {"x": [-1.0, 0.0, 1.0, 2.5]})
            assert worker.call(run, place_of_run) == [-1.0, 0.0, 2.0, 5.0]
        assert {event["event"] for event in events} <= {"note"}
        assert {event["level"] for event in events} <= {"warning"}
        return [event["message"] for event in events]

    def _everything(self) -> dict[Path, str]:
        """File -> digest, of the toolchain and of all folders of this test but the two that the host writes to."""
        files = [path for folder in (self.environment.root, self.here) for path in folder.rglob("*") if path.is_file()]
        hosts = self.here / "logs", self.here / "session-0" / "code"
        kept = [path for path in files if not any(path.is_relative_to(folder) for folder in hosts)]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.fixture
def make(known: Toolchains, new_pool: NewPool, repo_root: Path, tmp_path: Path) -> Callable[[JailKind, str], Converter]:
    def make(kind: JailKind, name: str) -> Converter:
        return Converter(kind, known.ensure(name), known.ensure("core"), new_pool, repo_root, tmp_path)

    return make


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A web proxy on this machine's loopback that answers nothing: (its address, first line of each request)."""
    heard: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            heard.append(self.rfile.readline(1000).decode("latin-1").strip())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", heard
        finally:
            server.shutdown()
            thread.join()


def test_its_pip_install_is_refused_and_reported(kind, make):
    converter = make(kind, "test-mnn")
    assert converter.convert() == [PIP]
    log = converter.log.read_text()
    assert log.count("dlpipe: refused: pip install -U aliyun-log-python-sdk") == 2
    assert "Converted Success!" in log


def test_its_call_home_is_blocked_and_reported(isolating_kind, make):
    """It says itself no more than "network not available...": the note is from watching its sockets."""
    converter = make(isolating_kind, "test-mnn-logging")
    assert converter.convert() == [PHONE]
    assert "network not available..." in converter.log.read_text()


def test_its_call_home_reaches_nobody_on_this_machine(kind, make):
    """Sent to a proxy of ours, the call does arrive without isolation, and in a jail that isolates it does not."""
    converter = make(kind, "test-mnn-logging")
    with proxy() as (address, heard):
        assert converter.convert({"https_proxy": address}) == []
    assert heard == ([] if kind.isolates else [f"CONNECT {HOME} HTTP/1.0"])
