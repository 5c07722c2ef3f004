"""Runs a Python program for another processor under qemu-user, in a root and with wheels of that processor."""

import json
import os
import resource
import subprocess
import tempfile

from dlpipe_worker import Request, operation


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, written by the guest: the program text in params["guest"].

    The guest is called as `python guest.py ARTIFACT SAMPLES.npz OUTPUTS.npz`; it prints lines `dlpipe {json}`:
    {"progress": 0..1} as it goes and {"result": ...} at the end. Everything else it prints is chatter.
    """
    with tempfile.TemporaryDirectory() as folder:
        guest = os.path.join(folder, "guest.py")
        with open(guest, "w", encoding="utf-8") as file:
            file.write(request.params["guest"])
        command = _command(request, guest)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        answer = _follow(request, command, folder)
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    if answer["machine"] != request.params["machine"]:
        raise RuntimeError(f"the guest ran on {answer['machine']}, not on {request.params['machine']}")
    return {**answer, "ran_on": os.path.basename(command[0]), "emulator_cpu_seconds": round(seconds, 3)}


def _command(request: Request, guest: str) -> list[str]:
    params, root = request.params, request.resources[request.params["root"]]
    emulator = os.path.join(request.resources["qemu-user"], "usr", "bin", params["emulator"])
    wheels = os.path.join(request.resources[params["wheels"]], "site")
    environment = {
        "LD_LIBRARY_PATH": "/usr/lib/" + params["multiarch"],
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": wheels,
        "PYTHONUNBUFFERED": "1",
    }
    settings = [part for name, value in environment.items() for part in ("-E", name + "=" + value)]
    python = os.path.join(root, "usr", "bin", params["python"])
    model, samples = request.inputs["artifact"], os.path.join(request.inputs["samples"], "samples.npz")
    outputs = os.path.join(request.out, "outputs.npz")
    # -s and -S would be tidier, but Debian's Python finds its own folders through site.
    return [emulator, "-cpu", params["cpu"], "-L", root, *settings, python, guest, model, samples, outputs]


def _follow(request: Request, command: list[str], folder: str) -> dict:
    """Run the guest to its end, relaying its progress. Raises RuntimeError with its last line when it fails."""
    result, last = None, ""
    with open(os.path.join(folder, "stderr"), "w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        ) as process:
            for line in process.stdout:
                if not line.startswith("dlpipe "):
                    print(line, end="")
                    continue
                said = json.loads(line[len("dlpipe ") :])
                if "progress" in said:
                    request.progress("under emulation", said["progress"])
                result = said.get("result", result)
        errors.seek(0)
        for line in errors:
            print(line, end="")
            last = line.strip() or last
    if process.returncode:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        raise RuntimeError(f"the program under {os.path.basename(command[0])} ended with {how}: {last}")
    if result is None:
        raise RuntimeError("the program under emulation ended without a result")
    return result
