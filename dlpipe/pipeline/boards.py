"""Targets that are boards elsewhere: an agent there runs the program that would run an artefact under emulation."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed
from dlpipe.targets.emulation import program_call
from dlpipe.toolchains.agent.client import Agent

OUTPUTS = "outputs.npz"


def run_call(tool: Backend, target: Target, variant: str) -> Call | None:
    """How an artefact of that backend is executed for the target; None where nothing can."""
    url = _address(target)
    return _on_board(tool, target, variant, "run", url) if url else tool.run_call(target, variant)


def timing_call(tool: Backend, target: Target, variant: str) -> Call | None:
    url = _address(target)
    return _on_board(tool, target, variant, "time", url) if url else tool.timing_call(target, variant)


def _address(target: Target) -> str | None:
    return str(target.options.get("agent", {}).get("url") or "") or None if target.runner == "device" else None


def _on_board(tool: Backend, target: Target, variant: str, operation: str, url: str) -> Call | None:
    call = program_call(tool, target, variant)
    if call is None:
        return None
    params = {"code": call.params["code"], "guest": call.params["guest"], "machine": target.arch}
    return Call(call.toolchain, call.worker, operation, params, board=url, stage_class="hardware")


def execute(call: Call, inputs: Path, out: Path) -> dict[str, Any]:
    """Run all samples there. inputs: the folder that holds those of the call by name. Raises StageFailed where the
    board is not what the target says."""
    assert call.board is not None
    answer, outputs = Agent(call.board).run(call, {name: inputs / name for name in ("artifact", "samples")})
    board = answer.pop("board")
    _check_machine(call, board["name"], answer["machine"])
    (out / OUTPUTS).write_bytes(outputs)
    return {**answer, "ran_on": f"device:{board['name']}", "system": board["system"]}


def _check_machine(call: Call, name: str, machine: str) -> None:
    if machine != call.params["machine"]:
        wanted = call.params["machine"]
        raise StageFailed(f"the board {name} is {machine}, and the target says {wanted}", board=call.board)


Fill = Callable[[Path, Mapping[str, str]], None]
Timer = Callable[[int, int], Mapping[str, Any]]


def timer(call: Call, inputs: Mapping[str, str], handle: str, fill: Fill) -> AbstractContextManager[Timer]:
    """For as long as it is entered: (warmup, runs) -> what a `time` operation gives, of that board. Raises StageFailed
    where the board is not what the target says."""

    @contextmanager
    def opened() -> Any:
        assert call.board is not None
        agent = Agent(call.board)
        about = agent.about()
        _check_machine(call, about["name"], about["machine"])
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), inputs)
            places = {name: Path(folder, name) for name in inputs}

            def run(warmup: int, runs: int) -> Mapping[str, Any]:
                params = {**call.params, "handle": handle, "warmup": warmup, "runs": runs}
                return agent.time(replace(call, params=params), places)

            yield run

    return opened()
