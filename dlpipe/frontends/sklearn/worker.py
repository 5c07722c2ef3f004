"""Classical models -> ONNX, and the originals executed. Runs in the sklearn toolchain."""

from __future__ import annotations

from typing import Any

from dlpipe_worker import Request, operation

from ..kit import executing


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, format, unsafe_load, inputs, dims."""
    from .importing import import_model

    return import_model(request)


@operation
def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry, format, unsafe_load."""
    from .original import open_model

    return executing.reference(request, open_model)


@operation
def time(request: Request) -> dict[str, Any]:
    """source, imported, samples -> seconds of each run. params: as of reference, and handle, warmup, runs, threads."""
    from .original import open_model

    return executing.time(request, open_model)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which estimators and objectives are covered. params: framework."""
    from .coverage import coverage

    return coverage(request.params["framework"])
