"""Puts the parts of an artefact together, and carries values from one to the next. Runs in the core toolchain."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from ..kit import artifact, executing

_CODE = "calling"  # the package that run.py imports


@operation
def join(request: Request) -> object:
    """ir, part0, part1, ... -> the parts under their numbers, run.json, run.py. params: see `join_call`."""
    out, parts = Path(request.out), []
    for number, part in enumerate(request.params["parts"]):
        folder = f"{number}-{part['backend']}"
        shutil.copytree(request.inputs[f"part{number}"], out / folder)
        for name, text in part["code"].items():
            file = out / _CODE / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        parts.append({"folder": folder, **{key: value for key, value in part.items() if key != "code"}})
    contract = artifact.contract(request)
    ports = contract["inputs"], contract["outputs"]
    names = " and ".join(dict.fromkeys(part["backend"] for part in parts))
    artifact.describe(request, request.params["backend"], (names, "as in the parts"), "run.py", ports, parts=parts)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    return {"tool": names, "entry": "run.py"}


@operation
def feed(request: Request) -> object:
    """samples, outputs of parts -> samples.npz. params: inputs (names)."""
    known = _values(request)
    _save(request, "samples.npz", {name: known[name] for name in request.params["inputs"]})
    return {}


@operation
def gather(request: Request) -> object:
    """samples, outputs of parts -> outputs.npz. params: outputs (names), ran_on, tools."""
    known = _values(request)
    found = {name: known[name] for name in request.params["outputs"]}
    _save(request, "outputs.npz", found)
    tools = " and ".join(dict.fromkeys(request.params["tools"]))
    return {"ran_on": request.params["ran_on"], "tool": tools, "samples": len(next(iter(found.values())))}


def _values(request: Request) -> dict[str, Any]:
    """Name -> [N, *shape] of all that was fed or computed."""
    found: dict[str, Any] = {}
    for name, folder in request.inputs.items():
        file = "samples.npz" if name == "samples" else "outputs.npz"
        with np.load(Path(folder, file), allow_pickle=False) as archive:
            found |= {key: archive[key] for key in archive.files}
    return found


def _save(request: Request, name: str, arrays: dict[str, Any]) -> None:
    executing.save(str(Path(request.out, name)), arrays)
