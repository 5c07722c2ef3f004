"""JAX functions -> ONNX, and the originals executed. Runs in the jax toolchain."""

import os
from collections.abc import Mapping
from typing import Any

from dlpipe_worker import Request, operation

from ..kit import executing

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # timings are of one thread


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, format, inputs, dims, outputs, factory, route."""
    from .importing import import_model

    return import_model(request)


def _open(request: Request, contract: Mapping[str, Any], threads: int | None) -> executing.Model:
    from .original import open_model

    return open_model(request, contract, threads)


executing.serve(__name__, _open)


@operation
def operators(request: Request) -> dict[str, Any]:
    """nothing -> what our translation covers of StableHLO."""
    from .operators import coverage

    del request
    return coverage()
