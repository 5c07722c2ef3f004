"""NNEF originals executed by Khronos' own runtime. In the nnef toolchain."""

from pathlib import Path
from typing import Any, Mapping, Optional

from dlpipe_worker import Request

from ..kit import executing


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    del threads  # it has one
    from .khronos_net import Khronos

    return Khronos(Path(request.inputs["source"]), request.params["entry"], contract, Path(request.out))


executing.serve(__name__, _open)
