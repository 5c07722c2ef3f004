"""Import of CNTK models. Runs in the core toolchain: CNTK itself is not needed."""

from __future__ import annotations

from typing import Any

from dlpipe_worker import Request, operation

from . import elementwise, images, products, reducing, sequences, shaping, stacks  # noqa: F401  (each fills the table)
from .importing import import_model
from .operators import NAMES, OPERATORS
from .recurrence import DELAYS

_STRUCTURE = ("Block", "Combine", "ConvolutionSequenceShape")  # opened or followed, so there is nothing to convert


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    return import_model(request)


@operation
def operators(request: Request) -> dict[str, Any]:
    """none -> value: see `Frontend.operators_call`."""
    del request
    found = {}
    for name in sorted(NAMES):
        entry = OPERATORS.get(name)
        note = entry.note if entry else ""
        known = entry is not None or name in (*DELAYS, *_STRUCTURE)
        found[name] = {"support": ("partial" if note else "full") if known else "none", "note": note or None}
    return {"operators": found, "source": "the primitive functions of CNTK 2.7"}
