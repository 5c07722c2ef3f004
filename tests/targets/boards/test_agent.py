"""A board's agent: whoever has the token gets work done, nobody else; and a wrong answer is not believed."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed, ToolMissing, UserError
from dlpipe.pipeline import boards
from dlpipe.pipeline.convert import convert
from dlpipe.pipeline.events import Event, StageStarted
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.timing import Timed, measure_timing
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.agent.client import TOKEN, Agent
from dlpipe.toolchains.agent.parts import common, machine
from dlpipe.toolchains.agent.program import text
from tests.networks import own_network

SECRET = "a token of the tests alone"
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")
Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """start(python, *options) -> the address of an agent that runs until the test ends."""
    monkeypatch.setenv(TOKEN, SECRET)
    running: list[subprocess.Popen[str]] = []
    numbers = itertools.count()

    def started(*options: object, python: tuple[str, ...] = (sys.executable,), before: tuple[str, ...] = ()) -> str:
        folder = tmp_path / f"agent{next(numbers)}"
        folder.mkdir()
        (folder / "agent.py").write_text(text())
        command = [
            *before,
            *python,
            folder / "agent.py",
            "--port",
            "0",
            "--name",
            "bench",
            "--folder",
            folder,
            *options,
        ]
        errors = (folder / "errors").open("w")
        running.append(
            subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, TOKEN: SECRET},
            )
        )
        errors.close()
        line = running[-1].stdout.readline()
        assert line.startswith("listening on "), (folder / "errors").read_text()
        return "http://" + line.removeprefix("listening on ").strip()

    yield started
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        process.stdout.close()


def board_call(url: str, name: str = "onnxruntime", operation: str = "run", arch: str | None = None) -> Call:
    here = replace(target("x86-64"), runner="device", arch=arch or platform.machine(), options={"agent": {"url": url}})
    make = boards.run_call if operation == "run" else boards.timing_call
    call = make(backend(name), here, "fp32")
    assert call is not None
    return call


@pytest.fixture
def inputs(work: Any, models: Any, tmp_path: Path) -> Path:
    """A folder with `artifact` and `samples`."""
    artifact = work.built(backend("onnxruntime"), target("x86-64"), models("branches"))
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "artifact").symlink_to(artifact)
    (folder / "samples").symlink_to(models("branches").samples)
    return folder


def core(toolchains: Toolchains) -> tuple[str, ...]:
    return (str(toolchains.ensure("core").python),)


@native
def test_outputs_and_times_come_from_the_board(
    start: Start,
    inputs: Path,
    models: Any,
    toolchains: Toolchains,
    tmp_path: Path,
) -> None:
    url = start(python=core(toolchains))
    value = boards.execute(board_call(url), inputs, tmp_path)
    assert models("branches").worst(tmp_path) <= 1e-5
    assert (value["ran_on"], value["samples"]) == ("device:bench", 3)
    call = board_call(url, operation="time")
    given = {name: f"tree:{name}" for name in ("artifact", "samples")}

    def fill(folder: Path, wanted: Any) -> None:
        for name in wanted:
            (folder / name).symlink_to((inputs / name).resolve())

    wrong = replace(call, params={**call.params, "machine": "riscv64"})
    with pytest.raises(StageFailed, match="the target says riscv64"), boards.timer(wrong, given, "one", fill):
        pass
    with boards.timer(call, given, "one", fill) as timed:
        first, second = timed(1, 3), timed(0, 5)
    assert (len(first["seconds"]), len(second["seconds"])) == (3, 5)
    assert first["load_seconds"] == second["load_seconds"]  # the program stayed


def test_what_a_board_is_does_not_change_with_its_agent(start: Start, tmp_path: Path) -> None:
    """It is the key of what was timed there, in place of this machine's."""
    first, second = (boards.fingerprint(start()) for _ in range(2))
    assert first == second
    assert (first["name"], first["machine"]) == ("bench", platform.machine())
    assert {"governor", "processor", "system"} < set(first)
    info, tree = tmp_path / "cpuinfo", tmp_path / "model"
    assert machine.processor(str(info), str(tree)) == ""
    tree.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    info.write_text("processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n")
    assert machine.processor(str(info), str(tree)) == "Raspberry Pi 4 Model B Rev 1.4"
    info.write_text("processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: another\n")
    assert machine.processor(str(info), str(tree)) == "AMD EPYC"
    governor = tmp_path / "scaling_governor"
    assert machine.governor(str(governor)) is None
    governor.write_text("powersave\n")
    assert machine.governor(str(governor)) == "powersave"


@native
def test_a_timing_on_a_board_is_made_anew_where_the_board_is_another(
    start: Start, inputs: Path, toolchains: Toolchains, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = start(python=core(toolchains))
    trees = {name: session.store.ingest((inputs / name).resolve()).digest for name in ("artifact", "samples")}
    timed = Timed("it", board_call(url, operation="time"), trees)
    assert [measure_timing(session, [timed]).cache for _ in range(2)] == ["miss", "hit"]
    about = boards.fingerprint(url)
    monkeypatch.setattr(boards, "fingerprint", lambda url: {**about, "governor": "powersave"})
    again = measure_timing(session, [timed])
    assert (again.cache, again.record is not None) == ("miss", True)
    assert again.record.parts["boards"][url]["governor"] == "powersave"
    assert "machine" not in again.record.parts


@pytest.mark.slow
@native
def test_a_board_that_goes_before_its_timing_leaves_the_rest_of_the_run(
    start: Start, models: Any, toolchains: Toolchains, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it computed is compared, and the report says why it has no speed."""
    noting, agent, (python,) = tmp_path / "noting.sh", tmp_path / "agent.pid", core(toolchains)
    noting.write_text(f'#!/bin/sh\necho $PPID > {agent}\nexec {python} "$@"\n')
    noting.chmod(0o755)
    url = start("--python", noting)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    place = tmp_path / "config" / "dlpipe" / "targets" / "bench.toml"
    place.parent.mkdir(parents=True)
    own = f'name = "bench"\nextends = "x86-64"\nsummary = "a board"\nrunner = "device"\noptions.agent.url = "{url}"\n'
    place.write_text(own)

    def leave(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "timing":  # of this machine, before those of boards
            os.kill(int(agent.read_text()), signal.SIGKILL)

    model = str(models("branches").ir / "model.onnx")
    asked = ConvertRequest(model, ("bench",), backends=("onnxruntime",), precision="fp32", out=tmp_path / "out")
    with Session(listeners=[leave]) as session:
        done = convert(session, asked)
    (found,) = done.report.artifacts
    assert (done.error, found.ran_on, found.verdict) == (None, "device:bench", "passed")
    latency = found.cost["latency_p50"]
    assert latency.value is None
    assert str(latency.reason).startswith(f"nothing was timed there: the agent at {url} does not answer")


@native
def test_a_client_does_again_what_the_agent_has_forgotten(
    start: Start, inputs: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started anew; what was sent had to make room."""
    first, second = start(python=core(toolchains)), start(python=core(toolchains))
    agent, call = Agent(first), board_call(first)
    given = {name: inputs / name for name in ("artifact", "samples")}
    assert agent.run(call, given)[0]["samples"] == 3
    agent._port = int(second.rpartition(":")[2])  # as if the other one had taken its place
    sent, before = agent._sent, []

    def gone(*asked: Any) -> dict[str, Any]:
        before.append(1)
        return sent(*asked) if len(before) > 1 else {**sent(*asked), "samples": "0" * 64}

    monkeypatch.setattr(agent, "_sent", gone)
    assert agent.run(call, given)[0]["samples"] == 3
    assert len(before) == 2


def test_an_agent_of_another_version_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start()
    monkeypatch.setattr("dlpipe.toolchains.agent.client.VERSION", common.VERSION + 1)
    with pytest.raises(StageFailed, match=f"is of version {common.VERSION}, and this dlpipe speaks") as told:
        Agent(url)._ask("GET", f"/v1/folders/{'0' * 64}", b"", 10)
    assert "--export" in str(told.value.hint)


@native
def test_what_fails_there_is_said_with_its_last_line(start: Start, inputs: Path, toolchains: Toolchains) -> None:
    url = start(python=core(toolchains))
    call = board_call(url)
    broken = replace(call, params={**call.params, "guest": "onnxruntime.missing"})
    with pytest.raises(StageFailed, match=r"ended with status 1: .*No module named"):
        Agent(url).run(broken, {name: inputs / name for name in ("artifact", "samples")})
    with pytest.raises(StageFailed, match="is x86_64, and the target says riscv64"):
        boards.execute(board_call(url, arch="riscv64"), inputs, inputs.parent)
    assert Agent(url).about()["name"] == "bench"  # it lives on


def test_who_has_another_token_gets_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start()
    assert Agent(url).about()["machine"] == platform.machine()
    monkeypatch.setenv(TOKEN, "not the token of the agent")
    with pytest.raises(StageFailed, match="its signature is wrong"):  # its refusal is not signed by that token either
        Agent(url).about()
    monkeypatch.delenv(TOKEN)
    with pytest.raises(ToolMissing, match="wants its token"):
        Agent(url)


def test_somebody_else_s_answer_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        body = b'{"there": true}'
        fake = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nDlpipe-Signature: 00\r\n\r\n%s" % (len(body), body)

        def answer() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.sendall(fake)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StageFailed, match="not the agent's"):
            Agent(f"http://127.0.0.1:{listening.getsockname()[1]}").about()
        thread.join()


def raw(url: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Any:
    """(status, answer) of a request as it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def signed(
    method: str, path: str, body: bytes, session: str = "", nonce: str = "n", moment: float | None = None
) -> dict[str, str]:
    """The headers of whoever has the token."""
    at, digest = f"{time.time() if moment is None else moment:.3f}", common.sha256(body)
    parts = (method, path, at, nonce, digest, *([session] if session else []))
    return {
        "Dlpipe-Body": digest,
        "Dlpipe-Time": at,
        "Dlpipe-Nonce": nonce,
        "Dlpipe-Signature": common.signature(SECRET, *parts),
        **({"Dlpipe-Session": session} if session else {}),
    }


def ask(url: str, method: str, path: str, body: bytes = b"", **more: Any) -> Any:
    return raw(url, method, path, signed(method, path, body, Agent(url).about()["session"], **more), body)


def test_a_request_counts_once_and_not_for_long(start: Start) -> None:
    url = start()
    assert ask(url, "GET", "/v1/about", nonce="once")[0] == 200
    assert ask(url, "GET", "/v1/about", nonce="once")[0] == 401
    assert ask(url, "GET", "/v1/about", nonce="old", moment=time.time() - 3600)[0] == 401


def test_a_request_that_was_listened_to_is_worth_nothing_to_the_next_agent(start: Start) -> None:
    """Started anew, or on another board with the same token: it does not know which numbers were used before."""
    first, path = start(), f"/v1/folders/{'0' * 64}"
    recorded = signed("GET", path, b"", Agent(first).about()["session"])
    assert raw(first, "GET", path, recorded)[0] == 200
    second = start()
    assert raw(second, "GET", path, recorded)[0] == 409
    assert raw(second, "GET", path, {**recorded, "Dlpipe-Session": Agent(second).about()["session"]})[0] == 401
    without = signed("GET", path, b"")
    assert raw(second, "GET", path, without)[0] == 409


def test_what_was_used_least_lately_makes_room(start: Start) -> None:
    url = start("--space", 2500 / (1 << 30))

    def sent(content: bytes) -> str:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            member = tarfile.TarInfo("file")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        digest = common.sha256(made.getvalue())
        status, said = ask(url, "PUT", f"/v1/folders/{digest}", made.getvalue(), nonce=f"put {digest}")
        assert status == 200, said
        return digest

    numbers = itertools.count()

    def there(digest: str) -> bool:
        return bool(ask(url, "GET", f"/v1/folders/{digest}", nonce=str(next(numbers)))[1]["there"])

    first, second = sent(b"a" * 1000), sent(b"b" * 1000)
    assert there(first)  # and is used by that
    third = sent(b"c" * 1000)
    assert [there(each) for each in (first, second, third)] == [True, False, True]
    with pytest.raises(AssertionError, match="larger than the 2500 bytes"):
        sent(b"d" * 3000)
    status, said = ask(url, "POST", "/v1/run", question(second), nonce="run")
    assert (status, "not here any more" in said["error"]) == (410, True)
    # What waits to be timed keeps its folders, until there is no other way.
    for digest in (first, third):
        asked = question(digest, handle=digest, warmup=0, runs=1)
        assert ask(url, "POST", "/v1/time", asked, nonce=f"time {digest}")[0] == 200
    sent(b"e" * 1000)
    assert [there(each) for each in (first, third)] == [False, True]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_a_folder_stays_in_its_place(start: Start, tmp_path: Path, name: str) -> None:
    url = start()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    digest = common.sha256(made.getvalue())
    status, said = ask(url, "PUT", f"/v1/folders/{digest}", made.getvalue())
    assert (status, "leaves its folder" in said["error"]) == (400, True)
    assert not list(tmp_path.rglob("evil"))


def test_links_and_wrong_digests_are_refused(start: Start) -> None:
    url = start()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    body = made.getvalue()
    assert "plain files" in ask(url, "PUT", f"/v1/folders/{common.sha256(body)}", body, nonce="1")[1]["error"]
    assert "not what its name says" in ask(url, "PUT", f"/v1/folders/{'0' * 64}", body, nonce="2")[1]["error"]
    assert ask(url, "GET", "/v1/folders/../../etc", nonce="3")[0] in (400, 404)


def test_a_short_token_and_a_wrong_address_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(text())
    done = subprocess.run(
        [sys.executable, tmp_path / "agent.py"], env={**os.environ, TOKEN: "short"}, capture_output=True, text=True
    )
    assert (done.returncode, "16 characters" in done.stderr) == (2, True)
    monkeypatch.setenv(TOKEN, SECRET)
    wrong = (
        "ftp://board",
        "http://",
        "http://board/path",
        "http://b:99999",
        "http://b:x",
        "http://[::1",
        "http://u@b",
        "7",
    )
    for url in (*wrong, "http://b:0", "http://b?x", "http://b#x", ""):
        with pytest.raises(UserError, match="no address"):
            Agent(url)
    with pytest.raises(StageFailed, match="does not answer"):
        Agent("http://127.0.0.1:1").about()


def test_what_is_no_agent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StageFailed, match="does not answer"):
            Agent(f"http://127.0.0.1:{listening.getsockname()[1]}").about()
        thread.join()


def test_nobody_s_body_is_read_before_the_signature_is_checked(start: Start) -> None:
    url = start()
    host, _, port = url.removeprefix("http://").partition(":")
    for length in (str(common.MAX_BODY), "many", "-1"):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(f"PUT /v1/folders/{'0' * 64} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
            assert connection.makefile("rb").readline().split()[1] == b"401"  # at once: no byte of a body was sent
    body = b"not what was signed"
    digest = common.sha256(b"what was signed")
    headers = signed("PUT", f"/v1/folders/{digest}", b"what was signed", Agent(url).about()["session"])
    other = http.client.HTTPConnection(host, int(port), timeout=30)
    other.request("PUT", f"/v1/folders/{digest}", body, headers)
    assert b"not what was signed" in other.getresponse().read()
    other.close()
    assert ask(url, "GET", f"/v1/folders/{digest}", nonce="after")[1] == {"there": False}


GUEST = """
import json, os, sys, time
print("dlpipe of chatter that is no JSON")
print("dlpipe 7", flush=True)
if sys.argv[3] == "--time":
    for line in sys.stdin:
        print("dlpipe", json.dumps({"result": dict(os.environ)}), flush=True)
time.sleep(600)
"""
CRASHING = "raise SystemExit('crashed')"


def question(folder: str, **more: Any) -> bytes:
    asked = {"artifact": folder, "samples": folder, "code": {"g.py": GUEST}, "guest": "g", "seconds": 60, **more}
    return json.dumps(asked).encode()


def empty(url: str) -> str:
    made = io.BytesIO()
    tarfile.open(fileobj=made, mode="w").close()
    digest = common.sha256(made.getvalue())
    assert ask(url, "PUT", f"/v1/folders/{digest}", made.getvalue(), nonce="put")[0] == 200
    return digest


def test_a_program_sees_no_token_and_its_crash_is_said_at_once(start: Start) -> None:
    url = start()
    folder, started = empty(url), time.monotonic()
    status, said = ask(url, "POST", "/v1/time", question(folder, handle="h", warmup=0, runs=1), nonce="1")
    assert (status, said.get("PYTHONUNBUFFERED"), TOKEN in said) == (200, "1", False)
    status, said = ask(url, "POST", "/v1/run", question(folder, code={"g.py": CRASHING}), nonce="2")
    assert (status, "crashed" in said["error"]) == (422, True)
    assert time.monotonic() - started < 30


SAID = "print('dlpipe ' + json.dumps({'result': {}}), flush=True)"


@pytest.mark.parametrize(
    "outputs",
    ["os.mkfifo(sys.argv[3])", "os.symlink('/dev/zero', sys.argv[3])", "os.truncate(sys.argv[3], 2 << 30)", "pass"],
)
def test_outputs_that_no_agent_can_hold_are_refused(start: Start, outputs: str) -> None:
    """They are the artefact's to write: a device would be read for ever, a large file by nobody's memory."""
    url = start()
    made = "open(sys.argv[3], 'wb').close();" if "truncate" in outputs else ""
    code = {"g.py": f"import json, os, sys; {made} {outputs}\n{SAID}"}
    status, said = ask(url, "POST", "/v1/run", question(empty(url), code=code, seconds=30), nonce="1")
    assert (status, "outputs" in said["error"]) == (422, True)


def test_what_a_program_says_without_end_is_no_answer(start: Start) -> None:
    """Nor does its agent keep it."""
    url = start()
    folder = empty(url)
    long = "sys.stdout.write('dlpipe {\"result\": {\"x\": \"' + 'x' * (9 << 20) + '\"}}\\n')"
    code = {"g.py": f"import sys; {long}"}
    status, said = ask(url, "POST", "/v1/run", question(folder, code=code, seconds=30), nonce="1")
    assert (status, "status 0" in said["error"]) == (422, True)
    code = {"g.py": f"import json\nfor _ in range(100):\n    {SAID}\n"}
    status, said = ask(url, "POST", "/v1/run", question(folder, code=code, seconds=30), nonce="2")
    assert (status, said["error"]) == (422, "it left no outputs"), "the first answer is the one"


def test_a_run_ends_with_its_time_and_with_who_asked_for_it(start: Start) -> None:
    url = start()
    folder = empty(url)
    assert ask(url, "POST", "/v1/run", question(folder, seconds=2), nonce="1")[0] == 504
    body = question(folder)
    headers = signed("POST", "/v1/run", body, Agent(url).about()["session"], "2")
    leaving = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    leaving.request("POST", "/v1/run", body, headers)
    time.sleep(2)
    assert "busy" in ask(url, "POST", "/v1/run", question(folder, seconds=1), nonce="3")[1]["error"]
    leaving.close()
    started = time.monotonic()
    assert "crashed" in ask(url, "POST", "/v1/run", question(folder, code={"g.py": CRASHING}), nonce="4")[1]["error"]
    assert time.monotonic() - started < 30  # and not the 60 seconds of the one before


@pytest.mark.skipif(sys.platform != "linux", reason="not run: of Linux alone")
def test_an_agent_that_is_killed_takes_its_program_along(start: Start) -> None:
    """Which lives through the requests before, each of a thread of its own."""
    url = start()
    code = {"g.py": GUEST.replace("dict(os.environ)", '{"pid": os.getpid(), "agent": os.getppid()}')}
    asked = question(empty(url), code=code, handle="h", warmup=0, runs=1)
    first, second = (ask(url, "POST", "/v1/time", asked, nonce=nonce)[1] for nonce in "12")
    assert first == second
    program = os.pidfd_open(first["pid"])
    os.kill(first["agent"], signal.SIGKILL)
    assert select.select([program], [], [], 60)[0] == [program]
    os.close(program)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() == "aarch64", reason="not run: needs an emulated processor")
def test_an_agent_in_the_emulated_arm64_root(
    start: Start,
    inputs: Path,
    models: Any,
    toolchains: Toolchains,
    tmp_path: Path,
) -> None:
    """The agent itself is an arm64 program, and so is what it starts."""
    places = {name: toolchains.ensure(name).root for name in ("qemu-user", "root-arm64", "onnxruntime-aarch64")}
    root, site = places["root-arm64"], places["onnxruntime-aarch64"] / "site"
    emulator = [places["qemu-user"] / "usr/bin/qemu-aarch64", "-cpu", "max,sve=off,pauth-impdef=on", "-L", root]
    emulator += ["-E", "LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu", root / "usr/bin/python3.11"]
    python = tuple(map(str, emulator))
    url = start("--python", " ".join(python), "--site", site, python=python)
    assert Agent(url).about()["machine"] == "aarch64"
    value = boards.execute(board_call(url, arch="aarch64"), inputs, tmp_path)
    assert (value["machine"], value["ran_on"]) == ("aarch64", "device:bench")
    assert models("branches").worst(tmp_path) <= 1e-5


@pytest.mark.slow
@native
def test_an_agent_in_a_network_namespace_of_its_own(
    start: Start,
    inputs: Path,
    models: Any,
    toolchains: Toolchains,
    tmp_path: Path,
) -> None:
    """Another host's network: reached by its own address over a pair of virtual interfaces."""
    with own_network(7) as (before, _, address):
        url = start("--host", address, python=core(toolchains), before=before)
        assert boards.execute(board_call(url), inputs, tmp_path)["ran_on"] == "device:bench"
        assert models("branches").worst(tmp_path) <= 1e-5
