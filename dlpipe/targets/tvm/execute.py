"""Runs an artefact by its own program, here or under an emulator. Needs nothing but Python's standard library."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from . import ports

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time stamp of every member: archives of the same arrays are the same bytes


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`: all samples in one process.

    params: execution ("native" or "qemu"); for qemu also cpu, emulator, multiarch and root (names of a program and
    of a resource). Raises RuntimeError with the program's last line when it fails.
    """
    artifact = Path(request.inputs["artifact"])
    description = ports.read(artifact)
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "in"), Path(folder, "out")
        given.mkdir()
        made.mkdir()
        _unpack(Path(request.inputs["samples"]) / "samples.npz", description["inputs"], given)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        samples = _follow(
            request, [*_prefix(request), str(artifact / "runner"), str(artifact / "model.so"), str(given), str(made)]
        )
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        _pack(made, description["outputs"], Path(request.out) / "outputs.npz")
    native = request.params["execution"] == "native"
    answer = {"ran_on": "native" if native else request.params["emulator"], "samples": samples, "instructions": None}
    return answer if native else {**answer, "emulator_cpu_seconds": round(seconds, 3)}


def _prefix(request: Request) -> list[str]:
    params = request.params
    if params["execution"] == "native":
        return []
    emulator = Path(request.resources["qemu-user"], "usr", "bin", params["emulator"])
    # The artefact's program finds TVM's libraries beside itself; the C and C++ libraries are the root's.
    settings = ["-E", "LD_LIBRARY_PATH=/usr/lib/" + params["multiarch"], "-E", "TVM_NUM_THREADS=1"]
    return [str(emulator), "-cpu", params["cpu"], "-L", request.resources[params["root"]], *settings]


def _unpack(archive: Path, inputs: list[dict[str, Any]], folder: Path) -> None:
    """The members of an .npz are .npy files, which is what the program reads."""
    with zipfile.ZipFile(archive) as samples:
        names = set(samples.namelist())
        for port in inputs:
            if port["name"] + ".npy" not in names:
                raise Refused(f"the samples have no values for input {port['name']}")
            with samples.open(port["name"] + ".npy") as source, (folder / port["file"]).open("wb") as target:
                shutil.copyfileobj(source, target)


def _pack(folder: Path, outputs: list[dict[str, Any]], archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for port in outputs:
            member = zipfile.ZipInfo(port["name"] + ".npy", _LONG_AGO)
            with (folder / port["file"]).open("rb") as source, packed.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)


def _follow(request: Request, command: list[str]) -> int:
    """Run the program to its end, relaying its progress. Returns how many samples it ran."""
    done, count, shown = 0, None, -1
    environment = {**os.environ, "TVM_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env=environment,
        ) as process:
            for line in process.stdout or ():
                first, slash, second = line.strip().partition("/")
                if not slash:
                    sys.stdout.write(line)  # chatter, kept as the log of the stage
                    continue
                done, count = int(first), int(second)
                if 100 * done // count > shown:
                    shown = 100 * done // count
                    request.progress("running", done / count)
        errors.seek(0)
        last = deque((line.strip() for line in errors if line.strip()), maxlen=1)
    if process.returncode:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        raise RuntimeError(f"{' '.join(Path(part).name for part in command[:1])} ended with {how}: {''.join(last)}")
    if done != count:
        raise RuntimeError(f"the program ran {done} of {count} samples")
    return done
