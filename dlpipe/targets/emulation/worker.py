"""Runs a Python program for another processor under qemu-user, in a root and with wheels of that processor."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, written by the guest: the program text in params["guest"].

    The guest is called as `python guest.py ARTIFACT SAMPLES.npz OUTPUTS.npz`; it prints lines `dlpipe {json}`:
    {"progress": 0..1} as it goes and {"result": ...} at the end. Everything else it prints is chatter.
    """
    with tempfile.TemporaryDirectory() as folder:
        guest = Path(folder, "guest.py")
        guest.write_text(request.params["guest"], encoding="utf-8")
        command = _command(request, guest)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        answer = _follow(request, command, Path(folder))
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    if answer["machine"] != request.params["machine"]:
        raise RuntimeError(f"the guest ran on {answer['machine']}, not on {request.params['machine']}")
    return {**answer, "ran_on": Path(command[0]).name, "emulator_cpu_seconds": round(seconds, 3)}


def _command(request: Request, guest: Path) -> list[str]:
    params, resources = request.params, request.resources
    root = Path(resources[params["root"]])
    environment = {
        "LD_LIBRARY_PATH": "/usr/lib/" + params["multiarch"],
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(resources[params["wheels"]], "site")),
        "PYTHONUNBUFFERED": "1",
    }
    emulator = [
        str(Path(resources["qemu-user"], "usr/bin", params["emulator"])),
        *("-cpu", params["cpu"], "-L", str(root)),
        *(part for name, value in environment.items() for part in ("-E", f"{name}={value}")),
    ]
    python = [str(root / "usr/bin" / params["python"]), str(guest)]
    samples, outputs = Path(request.inputs["samples"], "samples.npz"), Path(request.out, "outputs.npz")
    return [*emulator, *python, request.inputs["artifact"], str(samples), str(outputs)]


def _follow(request: Request, command: list[str], folder: Path) -> dict[str, Any]:
    """Run the guest to its end, relaying its progress. Raises RuntimeError with its last line when it fails."""
    result: dict[str, Any] | None = None
    with (folder / "stderr").open("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not line.startswith("dlpipe "):
                    sys.stdout.write(line)
                    continue
                said = json.loads(line.removeprefix("dlpipe "))
                if "progress" in said:
                    request.progress("under emulation", said["progress"])
                result = said.get("result", result)
        errors.seek(0)
        chatter = errors.read()
        sys.stderr.write(chatter)
    if process.returncode:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        last = (chatter.strip().splitlines() or ["it said nothing"])[-1].strip()
        raise RuntimeError(f"the program under {Path(command[0]).name} ended with {how}: {last}")
    if result is None:
        raise RuntimeError("the program under emulation ended without a result")
    return result
