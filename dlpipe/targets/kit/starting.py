"""How long an artefact takes from nothing to its first answer: its own sample program, started as a user would."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from . import executing

PROGRAM = "run.py"


@operation
def start(request: Request) -> dict[str, Any]:
    """artifact, samples -> {"cold_seconds", "warm_seconds"}: wall-clock time of a process from its start to its end,
    with one sample, and "peak_rss": bytes that it had in memory at most. params: warm (how many starts the median of
    `warm_seconds` is of).

    Cold is the first start since the artefact came here; warm are those after it, when the system has the files at hand
    and a runtime may have kept what it compiled. Raises RuntimeError with the program's last line when it fails.
    """
    artifact = Path(request.inputs["artifact"])
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TVM_NUM_THREADS": "1", "HOME": home}
        # Toolchains are read-only, and without compiled Python files every start would be the first one.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = f"{home}/pycache"
        seconds, peak = [], 0
        for number in range(1 + request.params["warm"]):
            scratch = Path(home, str(number))
            scratch.mkdir()
            command = _command(artifact, request.inputs["samples"], scratch)
            took, resident = _watched(command, artifact, environment)
            seconds.append(took)
            peak = max(peak, resident)
    return {"cold_seconds": seconds[0], "warm_seconds": statistics.median(seconds[1:]), "peak_rss": peak}


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


# Linux takes over what a process had in memory when it became another program, so one that this worker started would
# begin at the worker's own peak. A small interpreter between them has next to nothing.
_WATCHER = """
import os, sys, time
began = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ), 0)
seconds = time.perf_counter() - began
with open(sys.argv[1], "w") as file:
    file.write("%r %d %d" % (seconds, usage.ru_maxrss, os.WEXITSTATUS(status) if os.WIFEXITED(status) else -status))
"""


def _watched(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, int]:
    """Seconds of a program from start to end, and bytes that it had in memory at most, by the kernel's account."""
    with tempfile.NamedTemporaryFile("r") as account:
        watcher = [sys.executable, "-I", "-S", "-c", _WATCHER, account.name, *command]
        done = subprocess.run(
            watcher, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if done.returncode:
            raise RuntimeError(f"the sample program could not be started: {last}")
        seconds, resident, status = account.read().split()
    if status != "0":
        raise RuntimeError(f"the sample program ended with status {status}: {last}")
    return float(seconds), int(resident) * 1024
