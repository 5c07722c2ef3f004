"""Paddle programs -> ONNX, and the originals executed. Runs in the paddle toolchain."""

from __future__ import annotations

import os
from typing import Any

from dlpipe_worker import Request, operation

os.environ.setdefault("GLOG_minloglevel", "2")  # errors only; must be set before Paddle is imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, format, inputs, outputs, dims."""
    from .importing import import_model

    return import_model(request)


@operation
def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry, format."""
    from ..kit import executing
    from .running import interpreted

    return executing.reference(request, interpreted)


@operation
def layers(request: Request) -> dict[str, Any]:
    """source, imported, samples -> layers.npz. params: entry, format."""
    from ..kit import executing
    from .running import interpreted

    return executing.layers(request, interpreted)


@operation
def time(request: Request) -> dict[str, Any]:
    """source, imported, samples -> seconds per run. params: entry, format, handle, warmup, runs, threads."""
    from ..kit import executing
    from .running import deployed

    return executing.time(request, deployed)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which operators of Paddle paddle2onnx has a converter for, as both registries say."""
    del request
    from .operators import covered

    return covered()
