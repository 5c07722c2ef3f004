"""Keras models -> ONNX, and the originals executed. Runs in the keras toolchain."""

import os
from typing import Any

from dlpipe_worker import Request, operation

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only; must be set before TensorFlow is imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims, opset, route, unsafe_load."""
    from .importing import import_model

    return import_model(request)


@operation
def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry, inputs, unsafe_load, route."""
    from ..kit import executing
    from .original import kind, open_model

    return executing.reference(request, open_model, kind(request))


@operation
def layers(request: Request) -> dict[str, Any]:
    """source, imported, samples -> layers.npz. params: as `reference`."""
    from ..kit import executing
    from .original import open_model

    return executing.layers(request, open_model)


@operation
def operators(request: Request) -> dict[str, Any]:
    """-> which of Keras' layers convert."""
    from .coverage import operators as run

    return run(request)


@operation
def time(request: Request) -> dict[str, Any]:
    """source, imported, samples -> seconds per run. params: as `reference`, and handle, warmup, runs, threads."""
    from ..kit import executing
    from .original import open_model

    return executing.time(request, open_model)
