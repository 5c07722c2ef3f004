"""Outputs that the user has of the original, where no framework can run it: `--reference io.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..arrays import npz

_ALONE = {"inputs": ("x", "input", "inputs"), "outputs": ("y", "output", "outputs")}


def read(path: Path, contract: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(samples, outputs): port name -> [N, *shape]. The arrays are named after the ports; of a model with one input or
    one output `x` and `y` will do. A batch that the model takes whole is one sample. Raises Refused."""
    try:
        arrays = npz.read(path)
    except (OSError, ValueError) as error:
        raise Refused(f"{path.name} is not a file of arrays (.npz): {error}") from error
    samples, outputs = (_of(arrays, contract[side], side, path) for side in ("inputs", "outputs"))
    batches = {name: _split(array, port) for side in (samples, outputs) for name, (array, port) in side.items()}
    counts = {len(array) for array in batches.values()}
    if len(counts) > 1:
        sizes = ", ".join(f"{name} {len(array)}" for name, array in batches.items())
        raise Refused(f"{path.name} holds different numbers of samples: {sizes}")
    return {name: batches[name] for name in samples}, {name: batches[name] for name in outputs}


def _of(arrays: dict[str, Any], ports: list[Any], side: str, path: Path) -> dict[str, tuple[Any, Any]]:
    found = {}
    for port in ports:
        names = [port["name"], port["source"], *(_ALONE[side] if len(ports) == 1 else ())]
        array = next((arrays[name] for name in names if name in arrays), None)
        if array is None:
            raise Refused(
                f"{path.name} holds {', '.join(sorted(arrays))}, and no array for {port['name']}",
                hint="name the arrays after the model's inputs and outputs (`dlpipe inspect` lists them)",
            )
        found[port["name"]] = (_typed(array, port, path), port)
    return found


def _typed(array: Any, port: Any, path: Path) -> Any:
    """As the port's dtype. Raises Refused for numbers that it cannot hold, and for nothing that could be compared."""
    wanted = np.dtype(port["dtype"])
    place = f"{path.name}: the array for {port['name']}"
    if not array.size:
        raise Refused(f"{place} is empty")
    if wanted.kind in "US":
        return array.astype(wanted, copy=False)
    if array.dtype.kind not in "biuf":
        raise Refused(f"{place} is {array.dtype}, and the model's is {wanted.name}")
    if not np.isfinite(array).any():
        raise Refused(f"{place} holds no finite number")
    with np.errstate(invalid="ignore", over="ignore"):
        typed = array.astype(wanted, copy=False)
    if wanted.kind in "biu" and not np.array_equal(typed, array):
        raise Refused(f"{place} is {array.dtype} with numbers that {wanted.name} cannot hold")
    return typed


def _split(array: Any, port: Any) -> Any:
    """[N, *shape]: N is 1 where the array fits as it is; else its first axis counts the samples of batch 1."""
    shape = port["shape"]
    if _fits(array.shape, shape):
        return array[None]
    if array.ndim == len(shape) and _fits((1, *array.shape[1:]), shape):
        return array[:, None]
    if array.ndim == len(shape) + 1 and _fits(array.shape[1:], shape):
        return array
    raise Refused(f"{port['name']} takes {shape}, and its array in the reference is {list(np.shape(array))}")


def _fits(shape: tuple[int, ...], wanted: list[Any]) -> bool:
    return len(shape) == len(wanted) and all(
        isinstance(want, str) or want == size for size, want in zip(shape, wanted, strict=True)
    )
