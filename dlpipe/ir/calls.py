"""The calls of the IR room. Their operations, and what they return, are in `worker.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call

_WORKER = Path(__file__).with_name("worker.py")


def import_call(entry: str, shapes: Mapping[str, Sequence[Any]] | None = None) -> Call:
    """Input: `source`. Output: an IR folder, made from an ONNX file. Value: the I/O contract.

    shapes: of inputs that have none in the file.
    """
    told = {"shapes": {name: list(shape) for name, shape in shapes.items()}} if shapes else {}
    return Call("core", _WORKER, "import_onnx", {"entry": entry, **told})


def import_ort_call(entry: str) -> Call:
    """Input: `source`. Output: an IR folder, made from a file in ONNX Runtime's own format. Value: the contract."""
    return Call("core", _WORKER, "import_ort", {"entry": entry})


def operators_call() -> Call:
    """Value: {"operators": {name: {"support": "full" | "partial" | "none", "note": str or None}}, "source"}."""
    return Call("core", _WORKER, "operators")


def check_call() -> Call:
    """Input: `ir`. Raises BadModel or Unsupported where the model is at fault."""
    return Call("core", _WORKER, "check")


def describe_call() -> Call:
    """Input: `ir`. Value: inputs, outputs, opsets, operators, nodes, parameters, size_bytes, macs, risks."""
    return Call("core", _WORKER, "describe")


def generate_call(count: int, seed: int, dims: Mapping[str, int]) -> Call:
    """Input: `ir`. Output: `samples.npz`, made up by dtype and shape."""
    return Call("core", _WORKER, "generate", {"count": count, "seed": seed, "dims": dict(dims)})


def run_call(*, threads: int = 1, optimisation: str = "all") -> Call:
    """Inputs: `ir`, `samples`. Output: `outputs.npz`. The last bits depend on the processor's vector width."""
    params = {"threads": threads, "optimisation": optimisation}
    return Call("core", _WORKER, "run", params, stage_class="hardware")


def time_call(*, threads: int = 1) -> Call:
    """Inputs: `ir`, `samples`. The caller adds handle, warmup and runs to the params."""
    return Call("core", _WORKER, "time", {"threads": threads}, stage_class="hardware")


def golden_call() -> Call:
    """Inputs: `imported`, `golden` (a folder with reference.npz). Output: `samples.npz` and `outputs.npz`."""
    return Call("core", _WORKER, "golden")


def depart_call(layers: Sequence[str], tolerance: float) -> Call:
    """Inputs: `ir`, `samples`, `layers` (layers.npz). Value: {"layer": the first of `layers` that the model does not
    reproduce, or the last where only what follows it is wrong, "agrees_until", "reproduced", "layers"}. tolerance: of
    a layer's range."""
    return Call("core", _WORKER, "depart", {"layers": list(layers), "tolerance": tolerance}, stage_class="hardware")


def view_call(machine: str) -> Call:
    """Inputs: `ir`, `samples`, and `before` (the IR that it was made from) where there is one. Value: the fields of
    report.schema's ModelView but `stage`. machine: the digest of its fingerprint, since kernels are timed."""
    return Call("core", _WORKER, "view", {"machine": machine}, stage_class="hardware")


def carry_call(part: Mapping[str, Any] | None) -> Call:
    """Inputs: `ir`, `source` (the user's files). Output: the same IR, whose contract says how pictures are prepared: as
    `part` (a `PicturePreprocessing`), else as the model carries it. Value: {"summary": one line, or None where there is
    nothing to carry}."""
    return Call("core", _WORKER, "carry", {"part": part})


def attach_call(labels: Sequence[str] | None = None) -> Call:
    """Inputs: `artifact`, `ir`. Output: the artefact, and what travels with it: contract.json, preprocessing. With
    `labels` (names of the classes; empty: those of the contract, if any) it is for a user, and gets README.md, and code
    for its pre- and post-processing where that is known (`shipped/`)."""
    return Call("core", _WORKER, "attach", {"labels": None if labels is None else list(labels)})
