"""Scales and offsets go into the weights of the operator behind them."""

from typing import Any

import numpy as np
import onnx_ir as ir

from . import affine
from .infra import GraphPass, Rewritten, Work, add_constant, bypass, stored
from .linear import OPERATORS, Linear, read
from .unused import remove_unused

_MAX_ELEMENTS = 1 << 26  # of a weight


class FoldBefore(GraphPass):
    """Fold per-channel x*scale + shift into the weights and bias of what reads it.

        x -> Mul(1/255) -> Sub(mean) -> Conv(W, b) -> y           x -> Conv(W/255, b - sum(W*mean)) -> y
        x -> BatchNormalization -> Gemm(W, b) -> y                x -> Gemm(s*W, b + t*W) -> y

    The same for ConvTranspose and MatMul (of matrices; one with an offset becomes a Gemm). An offset is only folded
    where the operator pads nothing: a border of zeros is no border of offsets. Requires stored weights that nobody may
    feed; folds only where nothing else reads the scaled value. Ensures fewer nodes. Exact up to rounding: computed in
    float64, rounded once, and left as it is where a new weight would not be finite. Source: as `fold-batchnorm`.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        changes: list[str] = []
        for graph in (model.graph, *model.graph.subgraphs()):
            for node in list(graph):
                while node.op_type in OPERATORS and node.domain == "" and (before := _fold(node)) is not None:
                    changes.append(f"{before.name} ({before.op_type}) folded into {node.name} ({node.op_type})")
        if changes:
            remove_unused(model)
        return Rewritten(model, changes)


def _fold(node: ir.Node) -> ir.Node | None:
    """The node before it that was taken in."""
    linear, x = read(node), node.inputs[0]
    before = x.producer() if x is not None else None
    if linear is None or x is None or before is None or before.graph is not node.graph:
        return None
    source = _source(before)
    if len(x.uses()) != 1 or x.is_graph_output() or source is None or linear.weight.size > _MAX_ELEMENTS:
        return None
    rank, axis, channels = _inputs(linear)
    shape = source.shape  # with fewer channels the operand would make copies of it
    if shape is None or len(shape) != rank or shape[axis] != channels:
        return None
    found = affine.read(before, source, rank=rank, axis=axis, channels=channels)
    if found is None or not _replace(linear, found):
        return None
    bypass(before, source)
    return before


def _source(node: ir.Node) -> ir.Value | None:
    if node.op_type == "BatchNormalization":
        return node.inputs[0]
    computed = [value for value in node.inputs if stored(value) is None]
    return computed[0] if len(computed) == 1 else None


def _inputs(linear: Linear) -> tuple[int, int, int]:
    """(rank, axis of the channels, number of channels) of what the operator reads; no channels where that is not
    plain."""
    node, sizes = linear.node, linear.weight.shape.numpy()
    if node.op_type == "Conv":
        return linear.rank, 1, sizes[1] * node.attributes.get_int("group", 1)
    if node.op_type == "Gemm":
        turned = node.attributes.get_int("transB", 0)
        return 2, 1, 0 if node.attributes.get_int("transA", 0) else sizes[1 if turned else 0]
    return linear.rank, linear.axis, sizes[0]


def _replace(linear: Linear, found: affine.Affine) -> bool:
    """Give the node the new weights; False, and nothing done, where they would not be finite or an offset has no
    place."""
    node, weight = linear.node, linear.weight.numpy()
    by_input = weight.astype(np.float64) * _spread(linear, found.scale)
    moved = _moved(linear, weight.astype(np.float64), found.shift)
    if moved is None or (node.op_type == "MatMul" and not linear.bias_may_be_added and moved.any()):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        new, bias = by_input.astype(weight.dtype), (linear.bias + moved).astype(weight.dtype)
    if not (np.isfinite(new).all() and np.isfinite(bias).all()):
        return False
    stem = node.name or node.outputs[0].name
    node.replace_input_with(1, add_constant(node.graph, new, f"{stem}/folded_weight"))
    if moved.any():
        node.resize_inputs(3)
        node.replace_input_with(2, add_constant(node.graph, bias, f"{stem}/folded_bias"))
        node.attributes.pop("beta", None)
        node.op_type = "Gemm" if node.op_type == "MatMul" else node.op_type
    return True


def _spread(linear: Linear, values: Any) -> Any:
    """One per input channel, so that they broadcast to the weight."""
    node, size = linear.node, len(linear.weight.shape)
    if node.op_type == "Conv":  # [out, in / group, ...]: the outputs of a group read the inputs of a group
        group = node.attributes.get_int("group", 1)
        rows = np.repeat(values.reshape(group, -1), linear.channels // group, axis=0)
        return rows.reshape(*rows.shape, *(1 for _ in range(size - 2)))
    if node.op_type == "Gemm" and node.attributes.get_int("transB", 0):
        return values[None, :]
    return values.reshape(-1, *(1 for _ in range(size - 1)))


def _moved(linear: Linear, weight: Any, shift: Any) -> Any:
    """What the offset adds to each output channel; None where it would not add the same everywhere."""
    node = linear.node
    if not shift.any():
        return np.zeros(linear.channels)
    if node.op_type == "ConvTranspose" or (node.op_type == "Conv" and not _unpadded(node)):
        return None
    product = weight * _spread(linear, shift)
    outputs = 0 if node.op_type == "Conv" or node.attributes.get_int("transB", 0) else 1
    total = product.sum(axis=tuple(axis for axis in range(product.ndim) if axis != outputs))
    return total * (node.attributes.get_float("alpha", 1.0) if node.op_type == "Gemm" else 1.0)


def _unpadded(node: ir.Node) -> bool:
    auto = node.attributes.get_string("auto_pad", "NOTSET")
    return auto == "VALID" or (auto == "NOTSET" and not any(node.attributes.get_ints("pads", ())))
