"""MNN files -> ONNX. Runs in the core toolchain."""

from __future__ import annotations

from typing import Any

from dlpipe_worker import Request, operation


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    from .importing import import_model

    return import_model(request)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which of MNN's operators are converted: this converter's own table against MNN's schema."""
    del request
    from .coverage import coverage

    return coverage()
