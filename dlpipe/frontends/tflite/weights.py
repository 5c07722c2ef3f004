"""The numbers of a constant tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.flatbuffer import damaged
from .reading import Tensor
from .sparsity import Sparsity, places

_NUMPY = {
    each: each
    for each in [
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
    ]
}
_NUMPY["int4"] = "int8"  # two to a byte in the file, one to a byte in ONNX


def numpy_dtype(dtype: str) -> str:
    """Raises Refused for a type that is not handled: strings, complex numbers, resources."""
    if dtype not in _NUMPY:
        raise Refused(f"tensors of the type {dtype} are not handled", kind="unsupported")
    return _NUMPY[dtype]


def unpacked(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A constant with its shape. Raises Refused where its bytes do not fill that."""
    data = tensor.data if tensor.data is not None else memoryview(b"")
    dtype = np.dtype(numpy_dtype(tensor.dtype))
    if None in tensor.shape:
        raise damaged(f"the constant {tensor.name!r} has a free dim")
    shape = tuple(dim for dim in tensor.shape if dim is not None)
    if tensor.sparsity is not None:
        return _dense(tensor, tensor.sparsity, shape, dtype)
    count = math.prod(shape)
    size = (count + 1) // 2 if tensor.dtype == "int4" else count * dtype.itemsize
    if len(data) != size:
        raise damaged(f"{tensor.name!r} of the shape {list(shape)} needs {size:,} bytes and has {len(data):,}")
    if tensor.dtype == "int4":
        return _nibbles(np.frombuffer(data, np.int8), count).reshape(shape)
    if dtype == np.bool_:
        return np.frombuffer(data, np.uint8).astype(bool).reshape(shape)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def _dense(tensor: Tensor, sparsity: Sparsity, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """What is not stored is 0, of a quantised tensor too, whatever its zero point."""
    if tensor.dtype == "int4" or tensor.data is None or len(tensor.data) % dtype.itemsize:
        raise Refused(f"the sparse weights {tensor.name!r} are not handled", kind="unsupported", node=tensor.name)
    stored = np.frombuffer(tensor.data, dtype.newbyteorder("<"))
    dense = np.zeros(math.prod(shape), dtype)
    dense[places(sparsity, shape, stored.size, tensor.name)] = stored
    return dense.reshape(shape)


def _nibbles(packed: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The lower half of a byte comes first; both are signed."""
    both = np.stack([(packed << 4) >> 4, packed >> 4], axis=-1)
    return both.reshape(-1)[:count]
