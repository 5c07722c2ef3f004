"""IR -> .mnn, and its execution on this machine. Runs in the mnn toolchain."""

import re
from pathlib import Path
from typing import Any

import _tools
import MNN
import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, operations
from ..kit.apart import apart, how_it_ended
from . import guest
from .converting import convert

_LOW = {"fp16"}  # variants that may compute in halves. 8-bit weights must not: that gives garbage (MNN 3.6.1, Armv8.2)


@operation
def compile_(request: Request) -> object:
    """ir -> model.mnn, run.json, run.py, LICENSES/. params: target, variant (fp32, fp16, int8 or int4)."""
    out, variant = Path(request.out), request.params["variant"]
    contract = artifact.contract(request)
    made = convert(Path(request.inputs["ir"], "model.onnx"), out / "model.mnn", variant)
    options = {
        "backend": "CPU",
        "precision": "low" if variant in _LOW else "high",
        "module": made["subgraphs"],
        "int8_layers": made["int8_layers"],
        "weight_bits": made["weight_bits"],
    }
    ports = contract["inputs"], contract["outputs"]
    description = artifact.describe(request, "mnn", ("MNN", MNN.version()), "model.mnn", ports, options=options)
    _prove(out, description)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "mnn")
    _say(request, variant, made)
    return {"tool": "MNN " + MNN.version(), "entry": "model.mnn", **made}


def _say(request: Request, variant: str, made: dict[str, Any]) -> None:
    if variant == "int4":
        request.note("int4: MNN stores the weights in 4 bits, and computes in floats")
    elif variant == "int8" and not made["int8_layers"]:
        request.note("int8: MNN stores the weights in 8 bits, one scale per channel, and computes in floats")


def _prove(folder: Path, description: dict[str, Any]) -> None:
    """Load and call it once, with zeros, apart: MNN crashes at what it should refuse."""
    feeds = {
        port["name"]: np.zeros([1 if isinstance(dim, str) else dim for dim in port["shape"]], port["dtype"])
        for port in description["inputs"]
    }

    def work() -> None:
        model = guest.Model(str(folder))
        free = any(isinstance(dim, str) for port in description["inputs"] for dim in port["shape"][1:])
        if not free:  # what is open beyond the batch has no size that would suit every model
            model.run(feeds)
        if wanted := description["options"]["int8_layers"]:
            ran = model.operators(feeds)
            found = sum(count for name, count in ran.items() if re.match(r"Conv.*(INT8|Int8)", name))
            if found < wanted:
                raise RuntimeError(f"of {wanted} quantised layers MNN computes {found} in 8 bits")

    status, said = apart(work)
    if status:
        last = (said.strip().splitlines() or ["it said nothing"])[-1].removeprefix("RuntimeError: ")
        raise Refused(f"what MNN's converter made {how_it_ended(status)}: {last}", kind="unsupported")


operations.serve(__name__, guest.Model)


@operation
def coverage(_request: Request) -> object:
    """Which ONNX operators MNN's converter imports: {"tool", "operators": [names]}."""
    _, said = apart(lambda: _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--OP"]))
    names = re.findall(r"(?m)^([A-Z]\w+)$", said)
    return {"tool": "MNN " + MNN.version(), "operators": sorted(set(names))}
