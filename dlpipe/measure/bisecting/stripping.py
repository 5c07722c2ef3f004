"""Noise in place of weights, of the same shape, type and spread: a graph can be shown without what it learned."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused

from ...graph import files, walk

LEAST = 32  # elements: fewer are sizes, axes and scales, and stay as they are
_INTEGERS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.INT16, onnx.TensorProto.UINT16)
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


def strip(source: Path, out: Path, other: Path | None) -> list[str]:
    """Write the IR of the folder `source` to `out`; returns the names of what became noise.

    The same name gives the same noise, so two graphs that share weights share the noise. `other`: the folder of a graph
    that must have all of them; raises Refused where it has not, since then the two would part for that alone.
    """
    model = files.read_whole(source / files.MODEL)
    found = [tensor for tensor, _ in walk.tensors(model) if _is_weight(tensor)]
    names = sorted({tensor.name for tensor in found})
    if other is not None:
        _check_shared(found, files.read_whole(other / files.MODEL))
    for tensor in found:
        array = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(_noise(tensor.name, array), tensor.name))
    for path in source.iterdir():
        if path.is_file() and not path.name.startswith(files.MODEL):
            shutil.copyfile(path, out / path.name)
    (out / files.MODEL).write_bytes(model.SerializeToString(deterministic=True))
    return names


def _is_weight(tensor: Any) -> bool:
    return walk.elements(tensor.dims) >= LEAST and tensor.data_type in (*_FLOATS, *_INTEGERS)


def _check_shared(found: list[Any], other: Any) -> None:
    theirs = {tensor.name: (tensor.data_type, tuple(tensor.dims)) for tensor, _ in walk.tensors(other)}
    for tensor in found:
        if theirs.get(tensor.name) != (tensor.data_type, tuple(tensor.dims)):
            raise Refused(
                f"the weight {tensor.name!r} is in one of the two graphs only: noise would make them part",
                kind="unsupported",
                hint="leave --strip-weights out",
            )


def _noise(name: str, array: Any) -> Any:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    random = np.random.default_rng(seed)
    if array.dtype.kind in "iu":
        return random.integers(int(array.min()), int(array.max()) + 1, array.shape).astype(array.dtype)
    wide = array.astype(np.float64)
    return (random.standard_normal(array.shape) * wide.std() + wide.mean()).astype(array.dtype)
