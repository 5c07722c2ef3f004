"""Samples as one request, and its answers as those of single samples again. Runs in the toolchain `core`."""

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from .saving import save


@operation
def join(request: Request) -> dict[str, Any]:
    """See `join_call`."""
    count = request.params["count"]
    with np.load(Path(request.inputs["data"]) / "samples.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name][:count] for name in stored.files}
    if any(len(array) < count or array.ndim < 2 for array in arrays.values()):
        raise Refused(f"there are no {count} samples that could be put together", kind="unsupported")
    save(Path(request.out) / "samples.npz", {name: np.concatenate(array)[np.newaxis] for name, array in arrays.items()})
    return {"count": count}


@operation
def split(request: Request) -> dict[str, Any]:
    """See `split_call`."""
    count = request.params["count"]
    with np.load(Path(request.inputs["data"]) / "outputs.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name][0] for name in stored.files}
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) % count:
            rows = len(array) if array.ndim else 0
            raise Refused(f"output {name!r} has {rows} rows for {count} samples", kind="unsupported")
    parts = {name: array.reshape(count, len(array) // count, *array.shape[1:]) for name, array in arrays.items()}
    save(Path(request.out) / "outputs.npz", parts)
    return {"count": count}
