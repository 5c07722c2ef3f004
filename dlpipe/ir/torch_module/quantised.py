"""A QDQ graph in the operators of PyTorch's own quantisation (PT2E), which backends of torch look for.

The numbers are the graph's own: scales, zero points and integers stay as they were. Activations in uint8 are moved to
int8 with their zero point, which is exact; biases in int32 become floats, which backends quantise again by the product
of the two scales that they had.
"""

from typing import Any

import onnx_ir as ir
import torch
from dlpipe_worker import Refused
from torch.ao.quantization.fx import _decomposed  # noqa: F401 - registers torch.ops.quantized_decomposed

from .ops.table import Compute

_INT8 = (-128, 127)


def pt2e(model: ir.Model) -> tuple[dict[ir.Node, Compute], set[ir.Node]]:
    """(how the nodes of quantisation are computed, those of them that dequantise weights and must stay in the graph).
    Raises Refused, naming the node, for what PT2E has no form of."""
    computes: dict[ir.Node, Compute] = {}
    weights = set[ir.Node]()
    for node in model.graph:
        if node.op_type == "QuantizeLinear":
            computes[node] = _quantize(node)
        elif node.op_type == "DequantizeLinear":
            stored = _stored(node.inputs[0])
            if stored is None:
                computes[node] = _dequantize(node)
            elif stored.dtype != ir.DataType.INT32:
                computes[node] = _weight(node, stored)
                weights.add(node)
    return computes, weights


def _quantize(node: ir.Node) -> Compute:
    scale, zero, low, high = _activation(node)
    quantize = torch.ops.quantized_decomposed.quantize_per_tensor.default
    return lambda x, *_: quantize(x, scale, zero, low, high, torch.int8)


def _dequantize(node: ir.Node) -> Compute:
    scale, zero, low, high = _activation(node)
    dequantize = torch.ops.quantized_decomposed.dequantize_per_tensor.default
    made = node.inputs[0].producer() if node.inputs[0] is not None else None
    if made is None:
        _refuse(node, "its integers are an input of the model")
    return lambda x, *_: dequantize(x, scale, zero, low, high, torch.int8)


def _activation(node: ir.Node) -> tuple[float, int, int, int]:
    scale, zero = _numbers(node)
    if len(scale) != 1:
        _refuse(node, "a scale for each channel of an activation")
    kind = node.inputs[2].dtype if len(node.inputs) > 2 and node.inputs[2] is not None else ir.DataType.UINT8
    if kind not in (ir.DataType.INT8, ir.DataType.UINT8):
        _refuse(node, f"to {kind}")
    return float(scale[0]), int(zero[0]) - (128 if kind == ir.DataType.UINT8 else 0), *_INT8


def _weight(node: ir.Node, stored: Any) -> Compute:
    if stored.dtype not in (ir.DataType.INT8, ir.DataType.UINT8):
        _refuse(node, f"weights in {stored.dtype}")
    scales, zeros = _numbers(node)
    shift = 128 if stored.dtype == ir.DataType.UINT8 else 0
    operators = torch.ops.quantized_decomposed

    def signed(x: Any) -> Any:
        return x if not shift else (x.to(torch.int16) - shift).to(torch.int8)

    if len(scales) == 1:
        scale, zero = float(scales[0]), int(zeros[0]) - shift
        return lambda x, *_: operators.dequantize_per_tensor.default(signed(x), scale, zero, *_INT8, torch.int8)
    axis = int(node.attributes.get_int("axis", 1)) % len(stored.shape)
    points = torch.tensor([int(each) - shift for each in zeros], dtype=torch.int64)
    each = torch.tensor([float(scale) for scale in scales], dtype=torch.float32)
    return lambda x, *_: operators.dequantize_per_channel.default(signed(x), each, points, axis, *_INT8, torch.int8)


def _numbers(node: ir.Node) -> tuple[Any, Any]:
    if node.attributes.get_int("block_size", 0):
        _refuse(node, "scales by blocks")
    scale = _stored(node.inputs[1])
    zero = _stored(node.inputs[2]) if len(node.inputs) > 2 else None
    if scale is None or (zero is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        _refuse(node, "a scale or zero point that is computed")
    scales = scale.numpy().reshape(-1)
    return scales, [0] * len(scales) if zero is None else zero.numpy().reshape(-1)


def _stored(value: ir.Value | None) -> Any:
    return None if value is None or value.is_graph_input() else value.const_value


def _refuse(node: ir.Node, why: str) -> Any:
    raise Refused(
        f"{node.op_type}: PyTorch's quantised operators have no form of {why}",
        kind="unsupported",
        node=node.name,
        op=node.op_type,
    )
