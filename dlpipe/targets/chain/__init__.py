"""An artefact in parts: several backends' artefacts of one model, each fed with what those before it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT

_WORKER = Path(__file__).with_name("worker.py")


def join_call(tool: Backend, target: Target, variant: str, parts: Sequence[Mapping[str, Any]]) -> Call:
    """`parts`, in order: {backend, variant, nodes, inputs, outputs; guest and code of its `emulation.program_call`}.
    Inputs: `ir`, and `part0` and so on. Output: the artefact: every part in a folder, run.json, and run.py, which calls
    one after the other."""
    params = {"backend": tool.name, "target": target.name, "variant": variant, "parts": list(parts)}
    return Call("core", _WORKER, "join", params, libraries=(KIT,))


def feed_call(inputs: Sequence[str]) -> Call:
    """What a part is fed with. Inputs: `samples`, and the outputs of the parts before it under any names."""
    return Call("core", _WORKER, "feed", {"inputs": list(inputs)}, libraries=(KIT,))


def gather_call(outputs: Sequence[str], ran_on: str, tools: Sequence[str]) -> Call:
    """The model's outputs. Inputs as those of `feed_call`. `ran_on`, `tools`: what the parts' runs said."""
    params = {"outputs": list(outputs), "ran_on": ran_on, "tools": list(tools)}
    return Call("core", _WORKER, "gather", params, libraries=(KIT,))
