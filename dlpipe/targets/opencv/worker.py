"""IR -> an ONNX model that OpenCV runs, and its execution on this machine. Runs in the opencv5 toolchain."""

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, executing, onnx_cases, operations
from ..kit.apart import apart, how_it_ended
from . import guest

_ENGINES = ("new", "classic")
_QUANTISED = ("classic", "new")  # which first
_PLACE = re.compile(r"Node \[(\w+)@[^\]]*\]:\((?:onnx_node(?:_output_\d+)?!)?([^)]*)\)")


@operation
def compile_(request: Request) -> object:
    """ir -> model.onnx, run.json, run.py, LICENSES/. params: target, variant (fp32 or int8)."""
    ir, out = Path(request.inputs["ir"]), Path(request.out)
    contract = artifact.contract(request)
    for file in sorted(ir.glob("model.onnx*")):
        shutil.copyfile(file, out / file.name)
    engine = _engine(request, out / "model.onnx", contract)
    ports = contract["inputs"], contract["outputs"]
    artifact.describe(request, "opencv", ("opencv", cv2.__version__), "model.onnx", ports, options={"engine": engine})
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "opencv-python-headless")
    return {"tool": f"OpenCV {cv2.__version__}", "entry": "model.onnx", "engine": engine}


def _engine(request: Request, path: Path, contract: dict[str, Any]) -> str:
    """The first that reads the model and runs zeros through it. Raises Refused with what the last one says."""
    said = []
    for engine in _QUANTISED if request.params["variant"] == "int8" else _ENGINES:
        status, text = apart(partial(_try, path, engine, contract))
        if status == 0:
            return engine
        said.append(_told(text, engine, status))
    place = next((found for _, found in said if found), None)
    reasons = "; ".join(text for text, _ in said)
    op, node = place.groups() if place else (None, None)
    raise Refused(f"OpenCV does not take the model: {reasons}", kind="unsupported", node=node, op=op)


def _try(path: Path, engine: str, contract: dict[str, Any]) -> None:
    net = guest.opened(path, engine)
    if any(isinstance(dim, str) for port in contract["inputs"] for dim in port["shape"][1:]):
        return  # what is open beyond the batch has no size that would suit every model
    shapes = {
        port["name"]: [1 if isinstance(dim, str) else dim for dim in port["shape"]] for port in contract["inputs"]
    }
    feeds = {port["name"]: np.zeros(shapes[port["name"]], port["dtype"]) for port in contract["inputs"]}
    found = guest.answers(net, feeds, [port["name"] for port in contract["outputs"]])
    for port in contract["outputs"]:
        executing.conforming(found[port["name"]], port, "OpenCV")


def _told(text: str, engine: str, status: int) -> tuple[str, re.Match[str] | None]:
    lines = [line.strip(" >\t") for line in text.strip().splitlines()]
    faults = [line for line in lines if "error" in line.lower()] or lines[-1:]
    last = re.sub(r"OpenCV\([\d.]+\) \S+?(\w+\.cpp:\d+)", r"\1", faults[-1]) if faults else how_it_ended(status)
    return f"{engine} engine: {last[:300]}", _PLACE.search(text)


operations.serve(__name__, guest.Model)


@operation
def coverage(request: Request) -> object:
    """{"tool", "operators": {operator: [cases of ONNX's that one of the engines passes, cases]}}. params: only."""

    def one(path: Path, feeds: executing.Arrays, outputs: list[str]) -> executing.Arrays:
        try:
            return guest.answers(guest.opened(path, "new"), feeds, outputs)
        except (RuntimeError, cv2.error):
            return guest.answers(guest.opened(path, "classic"), feeds, outputs)

    found = onnx_cases.covered(one, request.params.get("only", ()))
    return {"tool": f"OpenCV {cv2.__version__}", "operators": found}
