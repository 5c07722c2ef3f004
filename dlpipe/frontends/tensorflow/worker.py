"""TensorFlow graphs -> ONNX, and the originals executed. Runs in the tensorflow toolchain."""

import os
from typing import Any

from dlpipe_worker import Request, operation

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only; must be set before TensorFlow is imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json (+ preprocess.pb). params: entry, format, inputs, outputs, dims, opset."""
    from .importing import import_model

    return import_model(request)


@operation
def preprocess(request: Request) -> dict[str, Any]:
    """imported, data -> samples.npz, labels.json."""
    from .running import preprocess as run

    return run(request)


@operation
def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry, format."""
    from .running import reference as run

    return run(request)


@operation
def layers(request: Request) -> dict[str, Any]:
    """source, imported, samples -> layers.npz of sample 0. params: entry, format."""
    from .layers import layers as run

    return run(request)


@operation
def end_to_end(request: Request) -> dict[str, Any]:
    """source, imported, data -> outputs.npz from the files themselves. params: entry, format."""
    from .running import end_to_end as run

    return run(request)


@operation
def time(request: Request) -> dict[str, Any]:
    """source, imported, samples -> seconds per run. params: entry, format, handle, warmup, runs, threads."""
    from .timing import time as run

    return run(request)


@operation
def describe(request: Request) -> dict[str, Any]:
    """source -> ports, operators, parameters, multiply-accumulates. params: entry, format."""
    from .describing import describe as run

    return run(request)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which operators are covered: see `Frontend` (contracts/frontend.py)."""
    from .coverage import coverage

    del request
    return coverage()
