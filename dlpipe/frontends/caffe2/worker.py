"""Import of Caffe2 nets. Runs in the core toolchain: Caffe2 itself is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

from . import (  # noqa: F401  (each fills the table of operators)
    arithmetic,
    convolution,
    detection,
    elementwise,
    fills,
    int8,
    matrices,
    normalising,
    pooling,
    reducing,
    resizing,
    shaping,
)
from .importing import import_model
from .platform import CUT
from .table import OPERATORS


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    return import_model(request)


@operation
def operators(request: Request) -> dict[str, Any]:
    """none -> value: see `Frontend.operators_call`."""
    del request
    listed = Path(__file__).with_name("registered.txt").read_text(encoding="utf-8").split()
    found = {}
    for name in sorted({*listed, *OPERATORS}):
        entry = OPERATORS.get(name)
        refused = entry is None or entry.note.startswith("refused")
        support = "none" if refused else "partial" if entry and entry.note else "full"
        found[name] = {"support": support, "note": (entry.note if entry else CUT.get(name)) or None}
    return {"operators": found, "source": "the operators that Caffe2 of PyTorch 1.0.0 registers, without gradients"}
