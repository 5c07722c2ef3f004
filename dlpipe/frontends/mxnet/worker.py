"""MXNet symbols -> ONNX by our own converter. Runs in the core toolchain: no MXNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

OPERATORS = "operators.txt"


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    from .importing import import_model

    return import_model(request)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which of the operators that MXNet 1.9.1 registers are converted (operators.txt: its own list of them)."""
    del request
    from . import converting  # noqa: F401  fills the table
    from .handlers import TABLE

    names = Path(__file__).with_name(OPERATORS).read_text(encoding="utf-8").split()
    found = {}
    for name in sorted({*names, *TABLE}):
        entry = TABLE.get(name)
        support = "none" if entry is None else "partial" if entry.note else "full"
        found[name] = {"support": support, "note": entry.note if entry else None}
    return {"operators": found, "source": "the registry of the MXNet 1.9.1 runtime, without gradients and optimizers"}
