"""PyTorch programs and weights -> ONNX, and the originals executed. Runs in the pytorch toolchain."""

from collections.abc import Mapping
from typing import Any

from dlpipe_worker import Request, operation

from ..kit import executing


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, format, inputs, outputs, dims, route,
    unsafe_load, factory."""
    from .importing import import_model

    return import_model(request)


def _open(request: Request, contract: Mapping[str, Any], threads: int | None) -> executing.Model:
    from .original import open_model

    return open_model(request, contract, threads)


executing.serve(__name__, _open)


@operation
def operators(request: Request) -> dict[str, Any]:
    """nothing -> what the exporter covers of PyTorch's core operators."""
    from .operators import coverage

    del request
    return coverage()
