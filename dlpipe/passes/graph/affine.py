"""Which nodes are y = scale * x + shift per channel, and by how much."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from .infra import constant

_DEFAULT_EPSILON = 1e-5  # of BatchNormalization


@dataclass(frozen=True, slots=True)
class Affine:
    """float64, one value per channel."""

    scale: Any
    shift: Any


def read(node: ir.Node, source: ir.Value, *, rank: int, axis: int, channels: int) -> Affine | None:
    """What `node` does to `source`, a value of that rank with its channels along `axis`; None when that is something
    else, or depends on values that are not stored."""
    if node.domain != "" or len(node.outputs) != 1:
        return None
    if node.op_type == "BatchNormalization":
        return _batch_norm(node, source, axis=axis, channels=channels)
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.inputs) != 2:
        return None
    first = node.inputs[0] is source
    other = constant(node.inputs[1 if first else 0])
    if other is None or (first and node.inputs[1] is source):
        return None
    operand = per_channel(other, rank=rank, axis=axis, channels=channels)
    if operand is None:
        return None
    one, zero = np.ones(channels), np.zeros(channels)
    if node.op_type == "Add":
        return Affine(one, operand)
    if node.op_type == "Sub":
        return Affine(one, -operand) if first else Affine(-one, operand)
    if node.op_type == "Mul":
        return Affine(operand, zero)
    return Affine(1.0 / operand, zero) if first and np.all(operand != 0.0) else None


def per_channel(array: Any, *, rank: int, axis: int, channels: int) -> Any:
    """The array as one float64 per channel if it broadcasts as such, and to nothing larger; else None."""
    if array.ndim > rank or array.dtype.kind != "f":
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    rest = shape[:axis] + shape[axis + 1 :]
    if any(size != 1 for size in rest) or shape[axis] not in (1, channels):
        return None
    return np.broadcast_to(array.reshape(-1).astype(np.float64), (channels,))


def _batch_norm(node: ir.Node, source: ir.Value, *, axis: int, channels: int) -> Affine | None:
    """scale = gamma / sqrt(var + eps), shift = beta - mean * scale (Ioffe and Szegedy 2015, at inference)."""
    if node.inputs[0] is not source or axis != 1 or node.attributes.get_int("training_mode", 0):
        return None
    stored = [constant(value) for value in node.inputs[1:5]]
    if any(array is None or array.shape != (channels,) for array in stored):
        return None
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in stored)
    scale = gamma / np.sqrt(variance + node.attributes.get_float("epsilon", _DEFAULT_EPSILON))
    return Affine(scale, beta - mean * scale)
