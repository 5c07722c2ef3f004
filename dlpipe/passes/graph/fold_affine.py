"""Batch norms, scales and offsets go into the weights of the operator before them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from . import affine
from .infra import GraphPass, Rewritten, Work, add_constant, bypass, constant

_LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class _Linear:
    """y = weight * x + bias; `rank`, `axis` (of the channels) and `channels` are y's."""

    node: ir.Node
    weight: Any
    bias: Any  # float64 [channels]
    rank: int
    axis: int
    channels: int
    bias_may_be_added: bool


class FoldBatchNorm(GraphPass):
    """Fold per-channel y*scale + shift into the weights and bias that made y.

        x -> Conv(W, b) -> BatchNormalization(g, B, m, v) -> y        x -> Conv(W*s, (b - m)*s + B) -> y,
                                                                      s = g / sqrt(v + eps)
        x -> Conv(W) -> Mul(s) -> Add(t) -> y  (frozen TF graphs)     x -> Conv(W*s, t) -> y
        x -> Gemm(W, b) -> BatchNormalization | Mul | Add | Sub | Div ...

    The same for ConvTranspose and MatMul (of matrices; one with an offset becomes a Gemm). Requires stored weights
    that nobody may feed; folds only where nothing else reads y. Ensures that every new weight is finite. Exact up to
    rounding: computed in float64, rounded once. Source: the batch norm paper's inference form (Ioffe and Szegedy
    2015); Jacob et al. 2018, section 3.2.
    """

    def __init__(self) -> None:
        self._made: list[ir.Value] = []

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        changes: list[str] = []
        for graph in (model.graph, *model.graph.subgraphs()):
            for node in list(graph):
                if node.op_type in _LINEAR and node.domain == "":
                    changes += self._fold_into(node)
        if changes:
            common.RemoveUnusedNodesPass()(model)
        return Rewritten(model, changes)

    def ensures(self, model: ir.Model) -> None:
        del model
        assert all(np.isfinite(constant(value)).all() for value in self._made if value.is_initializer())

    def _fold_into(self, node: ir.Node) -> list[str]:
        """Take in what follows, as long as it can be taken in."""
        changes: list[str] = []
        while node.graph is not None:
            linear, y = _linear(node), node.outputs[0]
            if linear is None or len(y.uses()) != 1 or y.is_graph_output():
                break
            follower = y.consumers()[0]
            if follower.graph is not node.graph:
                break
            found = affine.read(follower, y, rank=linear.rank, axis=linear.axis, channels=linear.channels)
            if found is None:
                break
            replaced = self._replace(linear, found)
            if replaced is None:
                break
            changes.append(f"{follower.name} ({follower.op_type}) folded into {node.name} ({node.op_type})")
            bypass(follower, replaced.outputs[0])
            node = replaced
        return changes

    def _replace(self, linear: _Linear, found: affine.Affine) -> ir.Node | None:
        """The node with new weights; None if they would not be finite, or a bias has no place."""
        node = linear.node
        dtype = linear.weight.dtype
        with np.errstate(over="ignore", invalid="ignore"):
            weight = _scaled(linear, found.scale).astype(dtype)
            bias = (linear.bias * found.scale + found.shift).astype(dtype)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            return None
        if node.op_type == "MatMul" and not linear.bias_may_be_added and bias.any():
            return None
        graph, stem = node.graph, node.name or node.outputs[0].name
        values = [node.inputs[0], add_constant(graph, weight, f"{stem}/folded_weight")]
        if node.op_type != "MatMul" or bias.any():
            values.append(add_constant(graph, bias, f"{stem}/folded_bias"))
        op = "Gemm" if node.op_type == "MatMul" and len(values) == 3 else node.op_type
        attributes = [attr for name, attr in node.attributes.items() if not (op == "Gemm" and name == "beta")]
        made = ir.Node("", op, values, attributes, name=node.name)
        made.outputs[0].name, made.outputs[0].type = node.outputs[0].name, node.outputs[0].type
        made.outputs[0].shape = node.outputs[0].shape
        node.append(made)
        node.outputs[0].replace_all_uses_with(made.outputs[0])
        assert graph is not None
        graph.remove(node, safe=True)
        self._made += values[1:]
        return made


def _linear(node: ir.Node) -> _Linear | None:
    weight = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if weight is None or weight.dtype not in (np.float32, np.float64) or node.inputs[0] is None:
        return None
    shape = node.inputs[0].shape
    if node.op_type in ("Conv", "ConvTranspose"):
        group = node.attributes.get_int("group", 1)
        channels = weight.shape[0] if node.op_type == "Conv" else weight.shape[1] * group
        rank, axis = weight.ndim, 1
    elif weight.ndim != 2:
        return None
    elif node.op_type == "Gemm":
        channels = weight.shape[0 if node.attributes.get_int("transB", 0) else 1]
        rank, axis = 2, 1
    else:
        if shape is None or len(shape) < 2:
            return None
        channels, rank = weight.shape[1], len(shape)
        axis = rank - 1
    bias = np.zeros(channels)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        stored = constant(node.inputs[2])
        found = (
            None
            if stored is None
            else affine.per_channel(
                stored,
                rank=2 if node.op_type == "Gemm" else 1,
                axis=1 if node.op_type == "Gemm" else 0,
                channels=channels,
            )
        )
        if found is None:
            return None
        bias = found * (node.attributes.get_float("beta", 1.0) if node.op_type == "Gemm" else 1.0)
    return _Linear(node, weight, bias, rank, axis, channels, bias_may_be_added=node.op_type != "MatMul" or rank == 2)


def _scaled(linear: _Linear, scale: Any) -> Any:
    """The weight in float64, each output channel times its scale."""
    weight, node = linear.weight.astype(np.float64), linear.node
    if node.op_type == "Conv":
        return weight * scale.reshape((-1,) + (1,) * (weight.ndim - 1))
    if node.op_type == "ConvTranspose":  # [in, out / group, ...]: the inputs of a group make the outputs of a group
        group = node.attributes.get_int("group", 1)
        grouped = weight.reshape(group, weight.shape[0] // group, *weight.shape[1:])
        return (grouped * scale.reshape((group, 1, -1) + (1,) * (weight.ndim - 2))).reshape(weight.shape)
    along_rows = node.op_type == "Gemm" and node.attributes.get_int("transB", 0)
    return weight * (scale[:, None] if along_rows else scale[None, :])
