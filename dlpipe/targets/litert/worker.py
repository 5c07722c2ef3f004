"""IR -> a .tflite file, and its execution on this machine. Runs in the tflite toolchain."""

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, operations
from ..tflite import flatbuffer, lowering
from . import guest

_ENTRY = "model.tflite"
_WHEELS = ("x86_64", "aarch64", "armv7l")  # processors that LiteRT's packages are built for


@operation
def compile_(request: Request) -> object:
    """ir -> model.tflite, run.json, run.py, run.c, LICENSES/. params: target, variant (fp32, fp16 or int8), arch."""
    variant = request.params["variant"]
    contract = artifact.contract(request)
    lowered = lowering.lower(Path(request.inputs["ir"], "model.onnx"), half=variant == "fp16")
    try:
        data = flatbuffer.write(lowered.graph, "written by dlpipe")
    except ValueError as error:
        raise Refused(str(error), kind="unsupported") from error
    Path(request.out, _ENTRY).write_bytes(data)
    runtime = "ai-edge-litert", importlib.metadata.version("ai-edge-litert")
    ports = contract["inputs"], contract["outputs"]
    kinds = lowered.graph.kinds()
    description = artifact.describe(request, "litert", runtime, _ENTRY, ports, operators=kinds)
    _prove(request.out, description)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.sample_program(request, Path(__file__).with_name("sample_run.c"), "run.c")
    artifact.licences(request, "ai-edge-litert")
    value = {"tool": f"litert {runtime[1]}", "entry": _ENTRY, "operators": kinds}
    if request.params["arch"] not in _WHEELS:
        value["not_executed"] = (
            f"LiteRT has no Python wheel for {request.params['arch']}: the file is for a build of it"
        )
    return value


def _prove(folder: str, description: dict[str, Any]) -> None:
    """Load and call it once, with zeros: what the runtime has no kernel for it says here."""
    feeds = {
        port["name"]: np.zeros([1 if isinstance(dim, str) else dim for dim in port["shape"]], port["dtype"])
        for port in description["inputs"]
    }
    try:
        guest.Model(folder).run(feeds)
    except (RuntimeError, ValueError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise Refused(f"LiteRT does not run the model: {'; '.join(said)[:400]}", kind="unsupported") from error


operations.serve(__name__, guest.Model)


@operation
def coverage(request: Request) -> object:
    """The ONNX operators that are lowered."""
    del request
    return {"operators": lowering.supported()}
