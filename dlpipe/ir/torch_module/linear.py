"""Products with a stored matrix as what torch calls linear, [N, K] as compilers' kernels want it."""

from typing import Any

import numpy as np
import onnx_ir as ir
from torch.nn import functional

from .ops.table import Compute


def linears(model: ir.Model) -> dict[ir.Node, Compute]:
    """MatMul and Gemm by a stored matrix (also an int8 one behind a DequantizeLinear): how they are computed from now
    on. The matrices of the model are transposed for it: it is no valid ONNX model any more."""
    found: dict[ir.Node, Compute] = {}
    for node in list(model.graph):
        if node.op_type not in ("MatMul", "Gemm") or node.domain not in ("", "ai.onnx"):
            continue
        if node.op_type == "Gemm" and not _is_plain(node):
            continue
        lies = node.op_type == "Gemm" and node.attributes.get_int("transB", 0)
        if lies and _matrix(node.inputs[1]) is not None:
            found[node] = _linear
        elif not lies and (turned := _transposed(model, node, node.inputs[1])) is not None:
            node.replace_input_with(1, turned)
            found[node] = _linear
    return found


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    # A bias that is a vector stays the stored tensor: compilers look for that.
    return functional.linear(x, weight, bias if bias is None or bias.dim() == 1 else bias.reshape(-1))


def _is_plain(node: ir.Node) -> bool:
    """x @ w + a stored vector, or nothing."""
    attributes = node.attributes
    if attributes.get_int("transA", 0) or attributes.get_float("alpha", 1.0) != 1.0:
        return False
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return True
    if attributes.get_float("beta", 1.0) != 1.0:
        return False
    bias, matrix = _stored(node.inputs[2]), _matrix(node.inputs[1])
    shape = node.inputs[2].shape if bias is None else bias.shape
    if shape is None or matrix is None:
        return False
    wide = matrix.shape[0 if attributes.get_int("transB", 0) else 1]
    return [size for size in shape if size != 1] == [wide] or (wide == 1 and all(size == 1 for size in shape))


def _matrix(value: ir.Value | None) -> Any:
    stored = _stored(value)
    return stored if stored is not None and len(stored.shape) == 2 else None


def _stored(value: ir.Value | None) -> Any:
    """The stored tensor, or the stored integers that are dequantised to it."""
    made = value.producer() if value is not None else None
    if made is not None and made.op_type == "DequantizeLinear":
        value = made.inputs[0]
    return None if value is None or value.is_graph_input() else value.const_value


def _transposed(model: ir.Model, node: ir.Node, value: ir.Value | None) -> ir.Value | None:
    matrix = _matrix(value)
    if value is None or matrix is None:
        return None
    turned = _store(model, f"{value.name}.linear.{node.name or node.outputs[0].name}", matrix)
    made = value.producer()
    if made is None or made.op_type != "DequantizeLinear":
        return turned
    if made.attributes.get_int("block_size", 0):
        return None
    axis = made.attributes.get_int("axis", 1) % 2
    again = ir.node("DequantizeLinear", [turned, *made.inputs[1:]], {"axis": 1 - axis}, name=f"{made.name}.linear")
    again.outputs[0].name = f"{turned.name}.floats"
    model.graph.insert_before(node, again)
    return again.outputs[0]


def _store(model: ir.Model, name: str, matrix: Any) -> ir.Value:
    tensor = ir.Tensor(np.ascontiguousarray(matrix.numpy().T), name=name, dtype=matrix.dtype)
    value = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    model.graph.register_initializer(value)
    return value
