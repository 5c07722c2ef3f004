"""How long an artefact takes from nothing to its first answer: its own sample program, started as a user would."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from . import executing

PROGRAM = "run.py"


@operation
def start(request: Request) -> dict[str, Any]:
    """artifact, samples -> {"cold_seconds", "warm_seconds"}: wall-clock time of a process from its start to its end,
    with one sample. params: warm (how many starts the median of `warm_seconds` is of).

    Cold is the first start since the artefact came here; warm are those after it, when the system has the files at hand
    and a runtime may have kept what it compiled. Raises RuntimeError with the program's last line when it fails.
    """
    artifact = Path(request.inputs["artifact"])
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TVM_NUM_THREADS": "1", "HOME": home}
        # Toolchains are read-only, and without compiled Python files every start would be the first one.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = f"{home}/pycache"
        seconds = []
        for number in range(1 + request.params["warm"]):
            scratch = Path(home, str(number))
            scratch.mkdir()
            command = _command(artifact, request.inputs["samples"], scratch)
            seconds.append(_timed(command, artifact, environment))
    return {"cold_seconds": seconds[0], "warm_seconds": statistics.median(seconds[1:])}


def _command(artifact: Path, samples: str, scratch: Path) -> list[str]:
    description = executing.described(str(artifact))
    arrays = executing.read(f"{samples}/samples.npz", tuple(port["name"] for port in description["inputs"]))
    if "command" not in description:
        executing.save(str(scratch / "sample.npz"), {name: array[0] for name, array in arrays.items()})
        return [sys.executable, str(artifact / PROGRAM), str(scratch / "sample.npz")]
    # A program of the artefact's own reads folders of .npy files, samples stacked.
    folders = {"INPUTS": scratch / "inputs", "OUTPUTS": scratch / "outputs"}
    for folder in folders.values():
        folder.mkdir()
    for port in description["inputs"]:
        np.save(folders["INPUTS"] / port["file"], np.ascontiguousarray(arrays[port["name"]][:1]))
    program, *arguments = description["command"]
    return [str(artifact / program), *(str(folders.get(each, each)) for each in arguments)]


def _timed(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    seconds = time.perf_counter() - started
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"the sample program ended with status {done.returncode}: {last}")
    return seconds
