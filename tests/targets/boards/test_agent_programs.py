"""The program that an agent runs is a stranger's: what it may see, say and leave, and when it ends."""

from __future__ import annotations

import http.client
import os
import select
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dlpipe.errors import StageFailed
from dlpipe.pipeline import boards
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.agent.client import TOKEN, Agent

from .asking import CRASHING, GUEST, SAID, Start, ask, board_call, core, empty, native, question, signed


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


def test_a_program_sees_no_token_and_its_crash_is_said_at_once(start: Start) -> None:
    url = start()
    folder, started = empty(url), time.monotonic()
    status, said = ask(url, "POST", "/v1/time", question(folder, handle="h", warmup=0, runs=1), nonce="1")
    assert (status, said.get("PYTHONUNBUFFERED"), TOKEN in said) == (200, "1", False)
    status, said = ask(url, "POST", "/v1/run", question(folder, code={"g.py": CRASHING}), nonce="2")
    assert (status, "crashed" in said["error"]) == (422, True)
    assert time.monotonic() - started < 30


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
