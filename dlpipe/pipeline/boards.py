"""Targets that are boards elsewhere: an agent there runs the program that would run an artefact under emulation.

The agent is asked on a direct connection, or through the farm of a service (`FarmBoard`); what is asked is the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed, UserError
from dlpipe.targets.emulation import program_call
from dlpipe.targets.registry import target as find_target
from dlpipe.toolchains.agent.client import Agent
from dlpipe.toolchains.agent.farm import FarmBoard, is_farm

OUTPUTS = "outputs.npz"


def targets(names: Iterable[str], board: str | None) -> list[Target]:
    """The targets of a run. board: of a farm, its name or "any"; then they are executed there. Raises UserError for an
    unknown target, and where the farm has no such board, or it is of another kind."""
    found = [find_target(name) for name in names]
    return [_placed(each, board) for each in found] if board is not None else found


def _placed(target: Target, board: str) -> Target:
    if target.kind != "cpu":
        message = f"--board: {target.name} is a {target.kind}, and agents run programs on a board's processor"
        raise UserError(message, hint=f"the processor beside it is a target of its own: {'; '.join(target.notes)}")
    on = FarmBoard.find(board, target.name)
    machine = on.about()["machine"]
    if machine != target.arch:
        raise UserError(f"the board {board} is {machine}, and {target.name} is {target.arch}")
    return replace(target, runner="device", options={**target.options, "agent": {"url": on.address}})


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
    answer, outputs = _agent(call.board).run(call, {name: inputs / name for name in ("artifact", "samples")})
    board = answer.pop("board")
    _check_machine(call, board["name"], answer["machine"])
    (out / OUTPUTS).write_bytes(outputs)
    said = {key: board[key] for key in ("system", "fingerprint") if key in board}
    return {**answer, "ran_on": f"device:{board['name']}", **said}


def _agent(address: str, hold: FarmBoard | None = None) -> Agent | FarmBoard:
    return hold or (FarmBoard(address) if is_farm(address) else Agent(address))


def _check_machine(call: Call, name: str, machine: str) -> None:
    if machine != call.params["machine"]:
        wanted = call.params["machine"]
        raise StageFailed(f"the board {name} is {machine}, and the target says {wanted}", board=call.board)


def fingerprint(address: str) -> dict[str, Any]:
    """What a timing there depends on beside the program, as `measure.machine.fingerprint` says it of this machine. The
    same for every start of the agent. Raises StageFailed where the board does not answer."""
    if is_farm(address):  # which carries the digest of it
        return {"name": address}
    return {key: value for key, value in Agent(address).about().items() if key != "session"}


Fill = Callable[[Path, Mapping[str, str]], None]
Timer = Callable[[int, int], Mapping[str, Any]]


def timer(
    call: Call, inputs: Mapping[str, str], handle: str, fill: Fill, held: FarmBoard | None = None
) -> AbstractContextManager[Timer]:
    """For as long as it is entered: (warmup, runs) -> what a `time` operation gives, of that board. `held`: the board
    of a farm that this run has to itself. Raises StageFailed where the board is not what the target says."""

    @contextmanager
    def opened() -> Any:
        assert call.board is not None
        agent = _agent(call.board, held)
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
