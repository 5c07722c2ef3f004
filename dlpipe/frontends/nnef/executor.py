"""NNEF originals executed by Khronos' own runtime. In the nnef toolchain."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from dlpipe_worker import Request, operation

from ..kit import executing


@operation
def reference(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry."""
    return executing.reference(request, _open)


@operation
def layers(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> layers.npz: every tensor of the graph. params: entry."""
    return executing.layers(request, _open)


@operation
def time(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> seconds per run. params: entry, handle, warmup, runs, threads."""
    return executing.time(request, _open)


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    del threads  # it has one
    from .khronos_net import Khronos

    return Khronos(Path(request.inputs["source"]), request.params["entry"], contract, Path(request.out))
