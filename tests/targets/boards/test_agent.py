"""Runs and timings on a board, by its agent."""

from __future__ import annotations

import os
import platform
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import StageFailed
from dlpipe.pipeline import boards
from dlpipe.pipeline.convert import convert
from dlpipe.pipeline.events import Event, StageStarted
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.timing import Timed, measure_timing
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.agent.client import Agent
from dlpipe.toolchains.agent.parts import machine
from tests.networks import own_network

from .asking import Start, board_call, core, native


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
