"""Batch norms, scales and offsets go into the weights of the operator before them."""

from typing import Any

import numpy as np
import onnx_ir as ir

from . import affine
from .infra import GraphPass, Rewritten, Work, add_constant, add_lazy, bypass, constant
from .linear import OPERATORS, Linear, read
from .stored import Stored
from .unused import remove_unused


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
                if node.op_type in OPERATORS and node.domain == "":
                    changes += self._fold_into(node)
        if changes:
            remove_unused(model)
        return Rewritten(model, changes)

    def ensures(self, model: ir.Model) -> None:
        del model
        at_hand = [value for value in self._made if not isinstance(value.const_value, ir.LazyTensor)]
        assert all(np.isfinite(constant(value)).all() for value in at_hand if value.is_initializer())

    def _fold_into(self, node: ir.Node) -> list[str]:
        """Take in what follows, as long as it can be taken in."""
        changes: list[str] = []
        while node.graph is not None:
            linear, y = read(node), node.outputs[0]
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

    def _replace(self, linear: Linear, found: affine.Affine) -> ir.Node | None:
        """The node with new weights; None if they would not be finite, or a bias has no place."""
        node, dtype = linear.node, linear.weight.dtype.numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            bias = (linear.bias * found.scale + found.shift).astype(dtype)
        if not (np.isfinite(bias).all() and _stays_finite(linear, found.scale)):
            return None
        if node.op_type == "MatMul" and not linear.bias_may_be_added and bias.any():
            return None
        graph, stem = node.graph, node.name or node.outputs[0].name
        values = [node.inputs[0], _weight(linear, found.scale, f"{stem}/folded_weight")]
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


def _weight(linear: Linear, scale: Any, name: str) -> ir.Value:
    """The weight as it is where nothing scales it. One that lies in a file is computed when the new one is written."""
    kept = linear.node.inputs[1]
    assert kept is not None
    if np.all(scale == 1.0):
        return kept
    if isinstance(linear.weight, Stored | ir.LazyTensor):
        return add_lazy(linear.node.graph, lambda: _scaled(linear, scale), linear.weight, name)
    return add_constant(linear.node.graph, _scaled(linear, scale), name)


def _scaled(linear: Linear, scale: Any) -> Any:
    """The weight with each output channel times its scale: multiplied in float64, rounded once."""
    weight = linear.weight.numpy()
    grouped, factors, _ = _by_channel(linear, weight, scale)
    made = np.empty(grouped.shape, weight.dtype)
    np.multiply(grouped, factors, out=made, dtype=np.float64, casting="unsafe")
    return made.reshape(weight.shape)


def _stays_finite(linear: Linear, scale: Any) -> bool:
    """Whether the scaled weight is: from the largest of each channel, without making it."""
    if np.all(scale == 1.0):
        return True
    weight = linear.weight.numpy()
    grouped, factors, others = _by_channel(linear, weight, scale)
    largest = np.maximum(grouped.max(others, keepdims=True), -grouped.min(others, keepdims=True)).astype(np.float64)
    return bool(np.all(largest * np.abs(factors) <= np.finfo(weight.dtype).max))


def _by_channel(linear: Linear, weight: Any, scale: Any) -> tuple[Any, Any, tuple[int, ...]]:
    """(the weight, the scale so that it broadcasts to it, the axes that are not the output channels')."""
    node, axis = linear.node, 1
    if node.op_type == "ConvTranspose":  # [in, out / group, ...]: the inputs of a group make the outputs of a group
        group = node.attributes.get_int("group", 1)
        grouped = weight.reshape(group, weight.shape[0] // group, *weight.shape[1:])
        others = (1, *range(3, grouped.ndim))
        return grouped, scale.reshape((group, 1, -1) + (1,) * (weight.ndim - 2)), others
    if node.op_type == "Conv" or (node.op_type == "Gemm" and node.attributes.get_int("transB", 0)):
        axis = 0
    shape = [1] * weight.ndim
    shape[axis] = -1
    return weight, scale.reshape(shape), tuple(each for each in range(weight.ndim) if each != axis)
