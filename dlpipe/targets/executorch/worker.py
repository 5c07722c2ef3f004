"""IR -> .pte for XNNPACK. Runs in the executorch toolchain."""

import importlib.metadata
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dlpipe_worker import Refused, Request, operation

from ..kit import artifact
from ..torch_module import exporting
from . import lowering

_VERSION = importlib.metadata.version("executorch")


@operation
def compile_(request: Request) -> object:
    """ir -> model.pte, run.json, run.py, example.cc, LICENSES/. params: target, variant (fp32 or int8: what the IR is
    in), not_executed (why the target's programs cannot be executed here, or null)."""
    out = Path(request.out)
    contract = artifact.contract(request)
    request.progress("exporting", 0.0)
    exported = exporting.export(Path(request.inputs["ir"]), contract, "ExecuTorch")
    request.progress("lowering", 0.3)
    lowered = lowering.lower(exported)
    if lacking := lowering.missing(lowered):
        raise Refused(f"ExecuTorch's runtime has no kernel {', '.join(lacking)}", kind="unsupported", op=lacking[0])
    (out / "model.pte").write_bytes(lowered.pte)
    description = artifact.describe(
        request,
        "executorch",
        ("executorch", _VERSION),
        "model.pte",
        (contract["inputs"], contract["outputs"]),
        delegated={"xnnpack": lowered.xnnpack, "kernels": lowered.kernels},
    )
    artifact.licences(request, "executorch")
    notes = _notes(request, lowered)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.sample_program(request, Path(__file__).with_name("example.cc"), "example.cc")
    for note in notes:
        request.note(note)
    value = {"tool": f"executorch {_VERSION}", "entry": "model.pte", "notes": notes, **description["delegated"]}
    reason = request.params["not_executed"]
    return value if reason is None else {**value, "not_executed": reason}


def _notes(request: Request, lowered: lowering.Lowered) -> list[str]:
    count = sum(lowered.kernels.values())
    names = ", ".join(f"{name.split('::')[-1].removesuffix('.out')} ({number})" for name, number in _most(lowered))
    said = f"XNNPACK computes {lowered.xnnpack} operators, ExecuTorch's own kernels {count}"
    notes = [f"{said}: {names}" if names else said]
    quantising = sum(number for name, number in lowered.kernels.items() if name.startswith("quantized_decomposed::"))
    if request.params["variant"] == "int8" and quantising > 2:
        notes.append(f"{quantising} of the quantisations are computed apart from an operator, at a cost in time")
    return notes


def _most(lowered: lowering.Lowered) -> list[tuple[str, int]]:
    return sorted(lowered.kernels.items(), key=lambda each: (-each[1], each[0]))[:4]
