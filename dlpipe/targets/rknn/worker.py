"""IR -> .rknn, and its execution in RKNN-Toolkit2's simulator. Runs in the rknn toolchain."""

import ctypes
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, executing, ports
from . import qdq

_ENTRY = "model.rknn"
_SOURCE = "simulation/model.onnx"
_PROGRAM = Path(__file__).with_name("npu.py")
# The toolkit writes what lies in memory by chance, addresses too, into the gaps of its files. So its process gets
# memory that is always the same: no random addresses or hashes, one thread, the same arguments and environment, and
# (glibc) what is allocated is zero and in no cache of a thread's.
_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
_STEADY = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.perturb=255",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_TELLING = re.compile(r"^(?:E (?!RKNN: )|ValueError: (?!Traceback)|\w*Error: (?!Traceback)|rknn: )(.*)$")
_TOOL = "rknn-toolkit2 " + importlib.metadata.version("rknn-toolkit2")


@operation
def compile_(request: Request) -> object:
    """ir -> model.rknn, simulation/model.onnx (what it was built of: the simulator builds it again), run.json, run.py,
    LICENSES/. params: target, variant (fp16 or int8), options (platform)."""
    contract, out = artifact.contract(request), Path(request.out)
    inputs = ports.fixed_inputs(contract, "RKNN")
    (out / _SOURCE).parent.mkdir()
    qdq.rewrite(Path(request.inputs["ir"], "model.onnx"), out / _SOURCE)
    options = {"platform": request.params["options"]["platform"]}
    runtime = "rknn-toolkit2", importlib.metadata.version("rknn-toolkit2")
    described = artifact.describe(
        request, "rknn", runtime, _ENTRY, (inputs, contract["outputs"]), options=options, simulation=_SOURCE
    )
    _build(out, described, out / _ENTRY)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    _say_whose_runtime(out / "LICENSES")
    return {"tool": _TOOL, "entry": _ENTRY}


def _build(folder: Path, described: dict[str, Any], made: Path, samples: Path | None = None) -> list[Any]:
    """Writes `made`. With samples: the simulator's outputs, an array [N, ...] for each.

    Raises Refused with what the toolkit said of the model.
    """
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        (scratch / "model.onnx").symlink_to((folder / described["simulation"]).resolve())
        asked = {
            "platform": described["options"]["platform"],
            "inputs": described["inputs"],
            "samples": str(samples.resolve()) if samples else None,
        }
        (scratch / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(_PROGRAM)],
            cwd=scratch,
            env={**_STEADY, "HOME": os.environ.get("HOME", "/"), "PATH": os.environ.get("PATH", os.defpath)},
            preexec_fn=_without_random_addresses,
            capture_output=True,
            text=True,
            errors="replace",
        )
        lines = _lines(done.stdout + "\n" + done.stderr)
        sys.stdout.write("\n".join(lines) + "\n")
        if done.returncode or not (scratch / _ENTRY).is_file():
            raise _refused(done.returncode, lines)
        shutil.copyfile(scratch / _ENTRY, made)
        return [np.load(scratch / f"{number}.npy") for number in range(len(described["outputs"]) if samples else 0)]


def _without_random_addresses() -> None:
    ctypes.CDLL(None).personality(_ADDR_NO_RANDOMIZE)


def _lines(said: str) -> list[str]:
    """Without colours, progress bars and empty ones."""
    plain = _COLOURS.sub("", said).replace("\r", "\n").splitlines()
    return [line.rstrip() for line in plain if line.strip() and "it/s]" not in line]


def _refused(status: int, lines: list[str]) -> Exception:
    telling = [found[1] for line in lines if (found := _TELLING.match(line.strip())) and found[1].strip()]
    why = telling[-1] if telling else lines[-1] if lines else f"status {status}"
    if status < 0:
        return RuntimeError(f"RKNN-Toolkit2 was ended by signal {-status}: {why[:300]}")
    return Refused(f"RKNN-Toolkit2 does not take the model: {why[:400]}", kind="unsupported")


def _say_whose_runtime(folder: Path) -> None:
    folder.mkdir()
    text = (
        "This folder holds the model, compiled. What runs it is not in it: librknnrt.so and rknn_api.h of Rockchip's\n"
        "RKNPU2 runtime, which are under Rockchip's own licence (https://github.com/airockchip/rknn-toolkit2).\n"
    )
    (folder / "runtime.txt").write_text(text, encoding="utf-8")


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, in the toolkit's simulator of the NPU.

    It executes what it has built itself, so the artefact is built again: only where that gives the very same file are
    the outputs those of the artefact. Raises RuntimeError where it does not.
    """
    folder = Path(request.inputs["artifact"])
    described = executing.described(str(folder))
    samples = Path(request.inputs["samples"], "samples.npz")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, _ENTRY)
        found = _build(folder, described, made, samples)
        if made.read_bytes() != (folder / described["entry"]).read_bytes():
            raise RuntimeError("the artefact is not what this toolkit builds of its source: it cannot be simulated")
    pairs = zip(described["outputs"], found, strict=True)
    arrays = {port["name"]: _shaped(array, port) for port, array in pairs}
    executing.save(str(Path(request.out, "outputs.npz")), arrays)
    return {
        "ran_on": "simulator:rknn",
        "machine": platform.machine(),
        "tool": _TOOL,
        "samples": len(next(iter(arrays.values()))),
        "rebuilt": "the same bytes",
    }


def _shaped(array: Any, port: dict[str, Any]) -> Any:
    """[N, *shape], where the toolkit may have dropped or added dims of one."""
    dims = [1 if axis == 0 and isinstance(dim, str) else dim for axis, dim in enumerate(port["shape"])]
    if all(isinstance(dim, int) for dim in dims):
        array = array.reshape(len(array), *dims)
    return array.astype(port["dtype"], copy=False)
