"""Runs a Python program in a Debian root: for another processor under qemu-user, or for this one as it is."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

_HOUSE = "dlpipe_guest"  # the package that the guest's code is made a part of: `from ..kit import executing` works


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, written by the guest: the module params["guest"] of params["code"].

    The guest is called as `python -m MODULE ARTIFACT SAMPLES.npz OUTPUTS.npz`; it prints lines `dlpipe {json}`:
    {"progress": 0..1} as it goes and {"result": ...} at the end. Everything else it prints is chatter.

    params: root, python (its program in usr/bin), multiarch, wheels, machine (which the guest must find itself on);
    emulator and cpu, or emulator None where the root is for this machine's processor; environment (name -> value) and
    folders (name -> path in the root) for the guest.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in request.params["code"].items():
            path = Path(folder, _HOUSE, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        command, environment = _command(request, folder)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        answer = _follow(request, command, environment, Path(folder))
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    if answer["machine"] != request.params["machine"]:
        raise RuntimeError(f"the guest ran on {answer['machine']}, not on {request.params['machine']}")
    where = {"ran_on": request.params["emulator"]} if request.params["emulator"] else {}
    return {**answer, **where, "emulator_cpu_seconds": round(seconds, 3)}


def _command(request: Request, code: str) -> tuple[list[str], dict[str, str]]:
    """What to start, and the environment to start it in."""
    params, resources = request.params, request.resources
    root = Path(resources[params["root"]])
    environment = {
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{code}:{_site(Path(resources[params['wheels']]))}",
        "PYTHONUNBUFFERED": "1",
        **params.get("environment", {}),
        **{name: str(root / path) for name, path in params.get("folders", {}).items()},
    }
    libraries = "/usr/lib/" + params["multiarch"]
    python = [str(root / "usr/bin" / params["python"]), "-m", f"{_HOUSE}.{params['guest']}"]
    samples, outputs = Path(request.inputs["samples"], "samples.npz"), Path(request.out, "outputs.npz")
    guest = [*python, request.inputs["artifact"], str(samples), str(outputs)]
    if params["emulator"] is None:
        own = str(root) + libraries
        # The root's own loader, by its name: this machine's C library may be older, or none of Debian's.
        loader = [own + "/ld-linux-x86-64.so.2", "--library-path", own]
        return [*loader, *guest], {**os.environ, **environment, "PYTHONHOME": str(root / "usr")}
    # NumPy's BLAS lies in a folder of its own, which Debian's maintainer scripts would link to.
    own = f"{resources[params['wheels']]}{libraries}"  # of packages that are Debian's too
    environment["LD_LIBRARY_PATH"] = f"{libraries}:{libraries}/blas:{libraries}/lapack:{own}"
    emulator = [
        str(Path(resources["qemu-user"], "usr/bin", params["emulator"])),
        *("-cpu", params["cpu"], "-L", str(root)),
        *(part for name, value in environment.items() for part in ("-E", f"{name}={value}")),
    ]
    return [*emulator, *guest], dict(os.environ)


def _site(wheels: Path) -> Path:
    """Where the packages of a toolchain are: foreign wheels stand in a folder, Debian's where Debian has them, others
    in a virtual environment."""
    for folder in (wheels / "site", wheels / "usr/lib/python3/dist-packages"):
        if folder.is_dir():
            return folder
    return next((wheels / "lib").glob("python3*/site-packages"))


def _follow(request: Request, command: list[str], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Run the guest to its end, relaying its progress. Raises RuntimeError with its last line when it fails."""
    result: dict[str, Any] | None = None
    with (folder / "stderr").open("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not line.startswith("dlpipe "):
                    sys.stdout.write(line)
                    continue
                said = json.loads(line.removeprefix("dlpipe "))
                if "progress" in said:
                    request.progress("executing", said["progress"])
                result = said.get("result", result)
        errors.seek(0)
        chatter = errors.read()
        sys.stderr.write(chatter)
    if process.returncode:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        last = (chatter.strip().splitlines() or ["it said nothing"])[-1].strip()
        where = request.params["emulator"] or request.params["root"]
        raise RuntimeError(f"the program under {where} ended with {how}: {last}")
    if result is None:
        raise RuntimeError("the program under emulation ended without a result")
    return result
