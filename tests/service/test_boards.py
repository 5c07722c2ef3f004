"""The farm with real agents: they register, run and time what jobs ask for, vanish, and are replaced."""

from __future__ import annotations

import json
import os
import platform
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.agent.program import text
from dlpipe.toolchains.install.interpreters import on_this_machine
from tests.conftest import Bench
from tests.e2e.user import make_user
from tests.networks import own_network

from .running import Service, eventually, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine"),
]
NET = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 8] x) => (float[1, 4] y) {
  h = MatMul(x, w)
  y = Relu(h)
}"""
ASKED = ("-t", "x86-64", "-b", "onnxruntime", "--precision", "fp32", "--wait")
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def model(bench: Bench) -> Path:
    return bench.build(NET, weights={"w": [8, 4]}) / "model.onnx"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("farm")
    with serving(make_user(folder), folder / "data", "--lease", 10) as started:
        yield started


@pytest.fixture
def start(service: Service, toolchains: Toolchains, tmp_path: Path) -> Iterator[Start]:
    """start(name, token) -> an agent that has registered."""
    running: list[subprocess.Popen[bytes]] = []
    program = tmp_path / "agent.py"
    program.write_text(text())
    core = toolchains.ensure("core").python

    def started(
        name: str,
        token: str,
        *options: str,
        target: str = "x86-64",
        python: tuple[str, ...] = (),
        command: str = str(core),
        before: tuple[str, ...] = (),
        address: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """python: what the agent itself runs with; command: what it starts for artefacts."""
        log = tmp_path / f"{name}.log"
        address = address or f"http://127.0.0.1:{service.port}"
        asked = ["--server", address, "--target", target, "--name", name, "--python", command]
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [*before, *(python or (core,)), program, *asked, "--folder", tmp_path, *options],
                env={**os.environ, "DLPIPE_TOKEN": token},
                stderr=errors,
                stdin=subprocess.DEVNULL,
            )
        running.append(process)
        eventually(lambda: process.poll() is not None or b"registered as" in log.read_bytes())
        assert process.poll() is None, log.read_text()
        return process

    yield started
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def artifact(service: Service, out: str) -> dict[str, Any]:
    (found,) = json.loads((service.user.folder / out / "report.json").read_text())["artifacts"]
    return dict(found)


def test_a_job_is_run_and_timed_on_a_board(service: Service, start: Start, model: Path) -> None:
    start("bench-1", service.token("farmers", "board"))
    submitter = service.token("farmers", "read", "submit")
    service.ok("submit", model, *ASKED, "--board", "any", "--out", "any", token=submitter)
    found = artifact(service, "any")
    assert (found["ran_on"], found["verdict"]) == ("device:bench-1", "passed")
    assert found["cost"]["latency_p50"]["provenance"] == "measured"
    (board,) = service.ok("status", "--boards", "--json", token=submitter).json
    assert (board["name"], board["target"], board["health"]) == ("bench-1", "x86-64", "idle")
    assert {"numpy", "onnxruntime"} <= set(board["runtimes"])
    assert "bench-1" in service.ok("status", "--boards", token=submitter).out


@pytest.mark.parametrize("when", ["run", "timing"])
def test_a_board_that_is_killed_is_followed_by_another(
    service: Service, start: Start, model: Path, toolchains: Toolchains, tmp_path: Path, when: str
) -> None:
    """The first one hangs in the middle of it, and is killed there; the job ends once, with the second's figures."""
    team = f"farmers of {when}"
    token, submitter = service.token(team, "board"), service.token(team, "read", "submit")
    began, hanging, python = tmp_path / "began", tmp_path / "hanging.sh", toolchains.ensure("core").python
    what = "-m*--time" if when == "timing" else "-m*npz"
    hang = f"echo $$ > {began}; exec sleep 600"
    hanging.write_text(f'#!/bin/sh\ncase "$*" in {what}) {hang};; esac\nexec {python} "$@"\n')
    hanging.chmod(0o755)
    first = start(f"{when}-first", token, command=str(hanging))
    waiting = service.begin("submit", model, *ASKED, "--board", "any", "--out", when, token=submitter)
    eventually(lambda: began.exists() and began.read_text().strip())
    program = os.pidfd_open(int(began.read_text()))
    first.kill()
    assert select.select([program], [], [], 60)[0], "what it ran outlives it"
    os.close(program)
    start(f"{when}-second", token)
    out, err = waiting.communicate(timeout=600)
    assert waiting.returncode == 0, out + err + service.log()
    found = artifact(service, when)
    ran, timed = [note["message"].split(",")[0] for note in found["notes"] if "device" in note["message"]]
    ran_on = f"{when}-second" if when == "run" else f"{when}-first"
    assert (found["ran_on"], found["verdict"]) == (f"device:{ran_on}", "passed")
    assert ran == f"its outputs are of the device {ran_on}"
    assert timed == f"its times are of the device {when}-second"
    (job,) = service.ask("GET", "/jobs", token=submitter).json["jobs"]
    assert (job["state"], job["attempt"]) == ("succeeded", 1), "it was the board that died, not the worker"


def test_a_job_whose_board_does_not_come_back_names_it(service: Service, start: Start, model: Path) -> None:
    token, submitter = service.token("farmers-3", "board"), service.token("farmers-3", "read", "submit")
    start("gone", token).kill()
    done = service.dlpipe("submit", model, *ASKED, "--board", "gone", "--board-wait", "3s", token=submitter)
    assert "the board gone kept the work waiting" in json.dumps(service.ask("GET", "/jobs", token=submitter).json)
    assert done.code == 4, done.out + done.err
    none = service.dlpipe("submit", model, *ASKED, "--board", "of-another-team", token=submitter)
    assert (none.code, "has not a board called of-another-team" in none.err) == (2, True), none.err


def test_a_wrong_token_ends_the_agent_and_says_why(service: Service, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(text())
    address = f"http://127.0.0.1:{service.port}"
    command = [sys.executable, tmp_path / "agent.py", "--server", address, "--target", "x86-64", "--name", "x"]
    for token, said in (
        ("of-nobody-that-the-service-knows", "unknown, revoked"),
        (service.token("farmers", "read", "submit"), "has not the scope board"),
    ):
        done = subprocess.run(
            command, env={**os.environ, "DLPIPE_TOKEN": token}, capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert token not in done.stderr


@pytest.mark.interpreter
def test_the_agent_is_a_program_for_python_3_7(service: Service, start: Start, model: Path) -> None:
    old = on_this_machine("3.7")
    if old is None:
        pytest.skip("not run: Python 3.7 is not on this machine")
    token, submitter = service.token("old", "board"), service.token("old", "read", "submit")
    start("old-1", token, python=(str(old),))
    service.ok("submit", model, *ASKED, "--board", "old-1", "--out", "old", token=submitter)
    assert artifact(service, "old")["ran_on"] == "device:old-1"


@pytest.mark.skipif(platform.machine() == "aarch64", reason="not run: needs an emulated processor")
def test_an_agent_in_the_emulated_arm64_root(
    service: Service, start: Start, model: Path, toolchains: Toolchains
) -> None:
    """The agent itself is an arm64 program, and so is what it starts."""
    places = {name: toolchains.ensure(name).root for name in ("qemu-user", "root-arm64", "onnxruntime-aarch64")}
    root = places["root-arm64"]
    emulator = [places["qemu-user"] / "usr/bin/qemu-aarch64", "-cpu", "max,sve=off,pauth-impdef=on", "-L", root]
    emulator += ["-E", "LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu", root / "usr/bin/python3.11"]
    python = tuple(map(str, emulator))
    token, submitter = service.token("arm", "board"), service.token("arm", "read", "submit")
    site = ("--site", str(places["onnxruntime-aarch64"] / "site"))
    start("arm-1", token, *site, target="arm64", python=python, command=" ".join(python))
    asked = ("-t", "arm64", *ASKED[2:], "--board", "any", "--out", "arm")
    service.ok("submit", model, *asked, token=submitter)
    found = artifact(service, "arm")
    assert (found["ran_on"], found["verdict"]) == ("device:arm-1", "passed")
    (board,) = service.ask("GET", "/boards", token=submitter).json
    assert (board["machine"], board["target"]) == ("aarch64", "arm64")
    mistaken = service.dlpipe("submit", model, *ASKED, "--board", "arm-1", token=submitter)
    assert (mistaken.code, "is aarch64, and x86-64 is x86_64" in mistaken.err) == (2, True), mistaken.err


def test_an_agent_in_a_network_of_its_own(service: Service, start: Start, model: Path) -> None:
    """As a board behind a NAT: it reaches the service by way of another host, and listens nowhere."""
    token, submitter = service.token("nat", "board"), service.token("nat", "read", "submit")
    with own_network(8) as (before, host, _), relay(host, service.port) as address:
        agent = start("nat-1", token, before=before, address=address)
        service.ok("submit", model, *ASKED, "--board", "nat-1", "--out", "nat", token=submitter)
        sockets = [line.split() for line in Path(f"/proc/{agent.pid}/net/tcp").read_text().splitlines()[1:]]
        assert sockets, "it holds a connection"
        assert [each for each in sockets if each[3] == "0A"] == [], "something listens there"
    assert artifact(service, "nat")["ran_on"] == "device:nat-1"


@contextmanager
def relay(host: str, port: int) -> Iterator[str]:
    """The address of a relay to the port on this machine's loopback."""

    class Both(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as service:
                back = threading.Thread(target=pump, args=(service, self.request))
                back.start()
                pump(self.request, service)
                back.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer((host, 0), Both) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
