"""IR -> .mlpackage, read back and compared with the model. Runs in the coreml toolchain."""

import importlib.metadata
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import onnx_ir as ir
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact
from ..torch_module import exporting
from . import checking, converting, package
from .reading import Unread

_VERSION = importlib.metadata.version("coremltools")
_ENTRY = "model.mlpackage"
_WHY_NOT = "Core ML executes on Apple's systems only, and this is none"
# Of an output's range. fp32: sums in another order. fp16: weights rounded, told and not refused beyond that.
_ANOTHER = 2e-5  # from here on an operator was approximated by another
_WRONG = {"fp32": 1e-3, "fp16": 0.1}


@operation
def compile_(request: Request) -> object:
    """ir -> model.mlpackage, run.json, run.py, run.swift, LICENSES/. params: target, variant (fp32 or fp16: what the
    package computes in; inputs and outputs are float32 and int32)."""
    folder, variant = Path(request.inputs["ir"]), request.params["variant"]
    contract = _in_order(folder, artifact.contract(request))
    request.progress("exporting", 0.0)
    exported = exporting.export(folder, contract, "Core ML")
    request.progress("converting", 0.3)
    converted = converting.convert(exported, contract, variant)
    entry = Path(request.out, _ENTRY)
    package.write(entry, converted.spec, converted.weights)
    request.progress("reading back", 0.7)
    names = converting.names([*contract["inputs"], *contract["outputs"]])
    spec, program = checking.read(entry)
    checking.ports(spec, contract, names)
    found = {"operators": checking.operators(program), "weights": checking.weights(program, exported)}
    found["computed"] = computed = _computed(program, exported, contract, names, variant)
    description = _describe(request, contract, names, spec, found)
    notes = [_said(found), *_narrowed(contract)]
    for note in notes:
        request.note(note)
    if variant == "fp32" and (computed["difference"] or 0.0) > _ANOTHER:
        # such as its exact GELU in place of the tanh form
        request.note(f"more than rounding: {computed['said']}", level="warning")
    why = f"{_WHY_NOT}; {computed['said']}"
    return {"tool": f"coremltools {_VERSION}", "entry": _ENTRY, "not_executed": why, "notes": notes, **description}


def _in_order(folder: Path, contract: Any) -> Any:
    """The contract with its inputs as the graph has them, which is how they are exported."""
    graph = ir.load(str(folder / "model.onnx")).graph
    order = [str(value.name) for value in graph.inputs if not value.is_initializer()]
    return {**contract, "inputs": sorted(contract["inputs"], key=lambda port: order.index(port["name"]))}


def _computed(program: Any, exported: Any, contract: Any, names: dict[str, str], variant: str) -> dict[str, Any]:
    """What came of computing the package's program here. Raises Refused where it is another function than the model."""
    try:
        worst = checking.computed(program, exported, contract, names)
    except Unread as error:
        return {"difference": None, "said": f"its program was read back and not computed here (Core ML's {error})"}
    if not worst <= _WRONG[variant]:
        why = f"the package's program gives other results than the model, by {worst:.2g} of an output's range"
        raise Refused(f"Core ML Tools converts this model wrongly: {why}", kind="unsupported")
    how = "read back and computed here in torch" + (" with fp32 arithmetic" if variant == "fp16" else "")
    differs = f"differs from the model by at most {worst:.1g} of an output's range" if worst else "equals the model"
    said = f"its program, {how} for random inputs, {differs}"
    return {"difference": worst, "said": said}


def _describe(request: Request, contract: Any, names: dict[str, str], spec: Any, found: dict[str, Any]) -> Any:
    ports = tuple(
        [{**port, "feature": names[port["name"]], "feature_dtype": _dtype(port)} for port in contract[side]]
        for side in ("inputs", "outputs")
    )
    # The difference is not written down: it depends on this machine's rounding, and the artefact does not.
    kept = {"operators": found["operators"], "weights": found["weights"]}
    version = {"specification_version": spec.specificationVersion, "minimum_os": "iOS 16 or macOS 13"}
    artifact.describe(request, "coreml", ("coreml", _VERSION), _ENTRY, (ports[0], ports[1]), **version, **kept)
    artifact.licences(request, "coremltools")
    for name in ("run.py", "run.swift"):
        artifact.sample_program(request, Path(__file__).with_name(f"sample_{name}"), name)
    return {**kept, "difference": found["computed"]["difference"]}


def _dtype(port: Any) -> str:
    return str(converting.TYPES[port["dtype"]].__name__)


def _said(found: dict[str, Any]) -> str:
    weights, count = found["weights"], sum(found["operators"].values())
    share = weights["the_models_own"] / weights["numbers"] if weights["numbers"] else 1.0
    kept = f"{share:.0%} of its {weights['numbers']} stored numbers are the model's own, the others merged or moved"
    return f"read back: {count} operators of the types and shapes that they claim; {kept}"


def _narrowed(contract: Any) -> list[str]:
    """What to tell of the integers that Core ML has not."""
    wide = [port["name"] for side in ("inputs", "outputs") for port in contract[side] if port["dtype"] == "int64"]
    return [f"int32 in the package, int64 in the model: {', '.join(wide)}"] if wide else []
