"""Which nodes are y = weight * x + bias, with weights that are stored."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from . import affine
from .infra import constant, stored

OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class Linear:
    """y = weight * x + bias; `rank`, `axis` (of the channels) and `channels` are y's."""

    node: ir.Node
    weight: Any  # the tensor, which may lie in a file and not have been read
    bias: Any  # float64 [channels]
    rank: int
    axis: int
    channels: int
    bias_may_be_added: bool


def read(node: ir.Node) -> Linear | None:
    weight = stored(node.inputs[1]) if len(node.inputs) > 1 else None
    if weight is None or weight.dtype not in (ir.DataType.FLOAT, ir.DataType.DOUBLE) or node.inputs[0] is None:
        return None
    shape, sizes = node.inputs[0].shape, weight.shape.numpy()
    if node.op_type in ("Conv", "ConvTranspose"):
        group = node.attributes.get_int("group", 1)
        channels = sizes[0] if node.op_type == "Conv" else sizes[1] * group
        rank, axis = len(sizes), 1
    elif len(sizes) != 2:
        return None
    elif node.op_type == "Gemm":
        channels = sizes[0 if node.attributes.get_int("transB", 0) else 1]
        rank, axis = 2, 1
    else:
        if shape is None or len(shape) < 2:
            return None
        channels, rank = sizes[1], len(shape)
        axis = rank - 1
    bias = np.zeros(channels)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        added = constant(node.inputs[2])
        found = (
            None
            if added is None
            else affine.per_channel(
                added,
                rank=2 if node.op_type == "Gemm" else 1,
                axis=1 if node.op_type == "Gemm" else 0,
                channels=channels,
            )
        )
        if found is None:
            return None
        bias = found * (node.attributes.get_float("beta", 1.0) if node.op_type == "Gemm" else 1.0)
    return Linear(node, weight, bias, rank, axis, channels, bias_may_be_added=node.op_type != "MatMul" or rank == 2)
