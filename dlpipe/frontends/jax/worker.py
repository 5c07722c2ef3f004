"""JAX functions -> ONNX, and the originals executed. Runs in the jax toolchain."""

import os
from typing import Any

from dlpipe_worker import Request, operation

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # timings are of one thread


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, format, inputs, dims, outputs, factory, route."""
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
    """source, imported, samples -> layers.npz: every operator of a Python function."""
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
    """nothing -> what our translation covers of StableHLO."""
    from .operators import coverage

    del request
    return coverage()
