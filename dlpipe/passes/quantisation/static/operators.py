"""What 8-bit kernels do with an operator, as ONNX Runtime's and OpenVINO's have it."""

import numpy as np
import onnx_ir as ir

from ...graph.infra import constant

# They want their output in 8 bits too; without that they compute in float.
CONVOLUTIONS = frozenset({"Conv"})
# They can give floats from 8-bit inputs.
MATRICES = frozenset({"Gemm", "MatMul"})
# Cheap: worth 8 bits only between others that compute in 8 bits.
LIGHT = frozenset({"Add", "AveragePool", "Concat", "GlobalAveragePool", "LeakyRelu", "Mul", "Sigmoid"})
# They hand values on as they are: the input's levels are the output's.
MOVING = frozenset(
    {"DepthToSpace", "Flatten", "Gather", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split"}
) | {"Squeeze", "Transpose", "Unsqueeze"}
# Those of them that ONNX Runtime moves a DequantizeLinear through by itself; it wants a pair behind the others.
SEEN_THROUGH = frozenset({"MaxPool", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
# Done by the range of the output of the operator before them.
CLIPPING = frozenset({"Clip", "Relu"})
KNOWN = CONVOLUTIONS | MATRICES | LIGHT | MOVING


def kind(node: ir.Node) -> str | None:
    """ "convolution", "matrix", "light", "moving"; None for what stays in float."""
    if node.domain != "" or node.graph is None:
        return None
    if node.op_type in CONVOLUTIONS:
        return "convolution" if _has_weights(node) and _bias_is_stored(node) else None
    if node.op_type in MATRICES:
        return "matrix" if _is_plain(node) and all(_is_float(value) for value in node.inputs[:2]) else None
    if node.op_type in LIGHT:  # what is stored, say a bias of its own, loses too much in the one scale it would have
        return "light" if all(_is_float(value) and not _is_stored(value) for value in node.inputs) else None
    if node.op_type in MOVING:
        return "moving" if _moves(node) else None
    return None


def weight_axis(node: ir.Node) -> int | None:
    """Of the output channels of the weights, which are the second input; None where that is not stored."""
    if node.op_type not in CONVOLUTIONS | MATRICES or not _is_stored(node.inputs[1]):
        return None
    if node.op_type == "Conv":
        return 0
    return 0 if node.op_type == "Gemm" and node.attributes.get_int("transB", 0) else 1


def activations(node: ir.Node) -> list[tuple[int, ir.Value]]:
    """(index, value) of the float inputs that are computed, not stored."""
    inputs = node.inputs[:1] if kind(node) == "moving" else node.inputs
    return [(i, value) for i, value in enumerate(inputs) if value is not None and not _is_stored(value)]


def _has_weights(node: ir.Node) -> bool:
    return len(node.inputs) > 1 and all(map(_is_float, node.inputs[:2])) and _is_stored(node.inputs[1])


def _bias_is_stored(node: ir.Node) -> bool:
    return len(node.inputs) < 3 or node.inputs[2] is None or constant(node.inputs[2]) is not None


def _is_plain(node: ir.Node) -> bool:
    """A product with a stored matrix, for a Gemm with nothing but a stored vector added. (A product of two activations,
    as in attention, loses more in 8 bits than it gains: a small transformer was slower with it on either runtime.)"""
    matrix = constant(node.inputs[1])
    if matrix is None or matrix.ndim != 2 or _is_stored(node.inputs[0]):
        return False
    if node.op_type == "MatMul":
        return True
    plain = all(node.attributes.get_float(name, 1.0) == 1.0 for name in ("alpha", "beta"))
    if not plain or node.attributes.get_int("transA", 0):
        return False
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return True
    bias, channels = constant(node.inputs[2]), matrix.shape[weight_axis(node) or 0]
    return bias is not None and bool(bias.size == channels == (bias.shape or (1,))[-1])


def _moves(node: ir.Node) -> bool:
    if not _is_float(node.inputs[0]):
        return False
    if node.op_type == "MaxPool":
        return len(node.outputs) == 1
    if node.op_type == "Pad":  # zero is a level of every range
        filling = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(())
        return filling is not None and not bool(filling.any())
    if node.op_type == "Resize":
        return bool(node.attributes.get_string("mode", "nearest") == "nearest")
    return node.op_type != "Gather" or not _is_stored(node.inputs[0])


def _is_float(value: ir.Value | None) -> bool:
    return value is not None and value.dtype == ir.DataType.FLOAT


def _is_stored(value: ir.Value | None) -> bool:
    return constant(value) is not None
