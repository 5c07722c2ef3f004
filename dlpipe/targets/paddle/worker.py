"""IR -> a Paddle inference model by x2paddle, and its execution here. Runs in the paddle-inference toolchain."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, operations
from . import preparing

os.environ.setdefault("GLOG_minloglevel", "2")  # errors only; must be set before Paddle is imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
_LITE = (
    "no Paddle for this processor is installed here; Paddle Lite's .nb needs its tool `opt`, which is on no registry"
)
_FAILED = re.compile(r"convert failed node:(\S+), op_type is (\w+)")
_LACKING = re.compile(r"(?m)^=+ (\w+) =+$")


@operation
def compile_(request: Request) -> object:
    """ir -> model.json, model.pdiparams, run.json, run.py, LICENSES/. params: target, arch, variant (fp32)."""
    contract, out = artifact.contract(request), Path(request.out)
    for port in contract["inputs"]:
        if free := [dim for dim in port["shape"][1:] if isinstance(dim, str)]:
            raise Refused(
                f"x2paddle needs fixed shapes, and {port['name']} has the free dim {free[0]}",
                kind="unsupported",
                hint=f"--shape {free[0]}=<size>",
            )
    names = _convert(Path(request.inputs["ir"], "model.onnx"), out)
    inputs = [{**port, "tensor": "x2paddle_" + name} for port, name in zip(contract["inputs"], names, strict=True)]
    version = importlib.metadata.version("paddlepaddle")
    artifact.describe(request, "paddle", ("paddlepaddle", version), "model.json", (inputs, contract["outputs"]))
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "paddlepaddle", "x2paddle")
    answer: dict[str, Any] = {"tool": "x2paddle " + importlib.metadata.version("x2paddle"), "entry": "model.json"}
    return answer if request.params["arch"] == "x86_64" else {**answer, "not_executed": _LITE}


def _convert(source: Path, out: Path) -> list[str]:
    """Returns the names of the inputs. Raises Refused with what x2paddle says."""
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch, "model.onnx")
        inputs, _ = preparing.prepare(source, prepared)
        program = [sys.executable, str(Path(__file__).with_name("process.py")), str(prepared), scratch + "/made"]
        done = subprocess.run(program, cwd=scratch, capture_output=True, text=True, errors="replace")
        sys.stdout.write(done.stdout + done.stderr)
        if done.returncode:
            raise _refusal(done.stdout, done.stderr)
        for file in sorted(Path(scratch, "made/inference_model").glob("model.*")):  # no .pdiparams without weights
            shutil.copyfile(file, out / file.name)
    return inputs


def _refusal(said: str, errors: str) -> Refused:
    if lacking := _LACKING.search(said):
        return Refused(f"x2paddle does not convert {lacking[1]}", kind="unsupported", op=lacking[1])
    place = _FAILED.search(errors)
    last = (errors.strip().splitlines() or ["it said nothing"])[-1].strip()
    node, op = place.groups() if place else (None, None)
    return Refused(f"x2paddle cannot convert the model: {last[:300]}", kind="unsupported", node=node, op=op)


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, on this machine's own processor. params: machine."""
    from .model import Model

    return operations.run(request, Model)


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run of the first sample. params: handle, warmup, runs, threads."""
    from .model import Model

    return operations.time(request, Model)


@operation
def coverage(_request: Request) -> object:
    """Which ONNX operators x2paddle has a conversion for, at operator set 11."""
    from unittest.mock import MagicMock

    from x2paddle.op_mapper.onnx2paddle.opset11 import OpSet11

    mapper = OpSet11(MagicMock(), MagicMock())
    methods = {name for name in dir(mapper) if name[0].isupper() and callable(getattr(mapper, name))}
    names = methods | set(mapper.directly_map_ops) | set(mapper.elementwise_ops)
    return {"tool": "x2paddle " + importlib.metadata.version("x2paddle"), "operators": sorted(names)}
