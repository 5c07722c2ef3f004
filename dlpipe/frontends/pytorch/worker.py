"""PyTorch programs and weights -> ONNX, and the originals executed. Runs in the pytorch toolchain."""

from typing import Any

from dlpipe_worker import Request, operation


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, format, inputs, outputs, dims, route,
    unsafe_load, factory."""
    from .importing import import_model

    return import_model(request)


@operation
def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: as for import."""
    from ..kit import executing
    from .original import open_model

    return executing.reference(request, open_model)


@operation
def layers(request: Request) -> dict[str, Any]:
    """source, imported, samples -> layers.npz: of an nn.Module its modules, of a program its operators."""
    from ..kit import executing
    from .original import open_model

    return executing.layers(request, open_model)


@operation
def time(request: Request) -> dict[str, Any]:
    """source, imported, samples -> seconds per run. params: as for import, and handle, warmup, runs, threads."""
    from ..kit import executing
    from .original import open_model

    return executing.time(request, open_model)


@operation
def operators(request: Request) -> dict[str, Any]:
    """nothing -> what the exporter covers of PyTorch's core operators."""
    from .operators import coverage

    del request
    return coverage()
