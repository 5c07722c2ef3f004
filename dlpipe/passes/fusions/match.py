"""What a fusion asks of a graph: who made a value, and which numbers are stored."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16)
_HELD = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
_UNKNOWN = "unk__"
_DIGITS = 1e-5  # relative: how exactly people write constants such as sqrt(2)


def maker(value: ir.Value | None, *operators: str) -> ir.Node | None:
    """The node that makes `value`, if it is one of these standard operators."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.domain == "" and node.op_type in operators else None


def stored(value: ir.Value | None, limit: int | None = None) -> Any:
    """The array of a weight or of a Constant node, if it has at most `limit` elements; None for everything else."""
    node = maker(value, "Constant")
    if node is not None:
        return _held(node, limit)
    tensor = value.const_value if value is not None and value.is_initializer() and not value.is_graph_input() else None
    return None if tensor is None or (limit is not None and tensor.size > limit) else tensor.numpy()


def _held(node: ir.Node, limit: int | None) -> Any:
    """(`ir.convenience.get_const_tensor` would rename the tensor, which changes the model.)"""
    for name, held in node.attributes.items():
        if name == "value":
            return None if limit is not None and held.as_tensor().size > limit else held.as_tensor().numpy()
        if name in _HELD:
            return np.array(held.value, _HELD[name])
    return None


def number(value: ir.Value | None) -> float | None:
    """The one number that is stored there."""
    array = stored(value, 1)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.dtype.kind in "fiV" else None


def same(found: float, meant: float, dtype: ir.DataType) -> bool:
    """Whether that is the constant, as people write it or as the type rounds it."""
    rounding = float(np.finfo(dtype.numpy()).eps) if dtype in (ir.DataType.FLOAT16, ir.DataType.DOUBLE) else _DIGITS
    if dtype == ir.DataType.BFLOAT16:
        rounding = 2.0**-8
    return abs(found - meant) <= max(_DIGITS, rounding) * abs(meant)


def sides(node: ir.Node) -> Iterator[tuple[ir.Value | None, ir.Value | None]]:
    """Both orders of the operands of an operator that does not mind."""
    first, second = node.inputs
    yield first, second
    yield second, first


def private(value: ir.Value) -> bool:
    """Whether one node reads it, once, and nobody outside the graph."""
    return len(value.uses()) == 1 and not value.is_graph_output()


def rank(value: ir.Value | None) -> int | None:
    return len(value.shape) if value is not None and value.shape is not None else None


def size_of(dim: Any) -> int | str | None:
    """A size, or the name of a free one; None for one of which nothing is known, which ONNX's inference names afresh
    in every place."""
    size = dim if isinstance(dim, int) else dim.value
    return None if isinstance(size, str) and size.startswith(_UNKNOWN) else size


def dims(value: ir.Value | None) -> tuple[int | str, ...] | None:
    """Sizes, and names of free ones; None where not every dim has one."""
    if value is None or value.shape is None:
        return None
    found = [size_of(dim) for dim in value.shape]
    return None if any(size is None for size in found) else tuple(size for size in found if size is not None)
