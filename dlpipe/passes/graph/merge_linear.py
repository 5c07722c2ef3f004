"""Two linear layers with nothing between them are one."""

from typing import Any

import numpy as np
import onnx_ir as ir

from .infra import GraphPass, Rewritten, Work, add_constant, bypass
from .linear import Linear, read
from .unused import remove_unused

_MAX_ELEMENTS = 1 << 24  # of a weight


class MergeLinear(GraphPass):
    """Multiply the weights of two layers in a row, where the product takes fewer multiplications.

        x[N,64] -> Gemm(64 -> 64) -> Gemm(64 -> 10) -> y                 x -> Gemm(64 -> 10) -> y
        x -> Conv(3x3, 16 -> 32) -> Conv(1x1, 32 -> 16) -> y             x -> Conv(3x3, 16 -> 16) -> y

    The first a Gemm, a MatMul (of matrices, or both without an offset) or a Conv, the second of the same kind and, of
    Convs, 1x1 without stride, padding and groups. A bottleneck (64 -> 8 -> 64) stays, since its product is larger.
    Requires stored weights that nobody may feed, and that nothing else reads what is between. Ensures fewer nodes and
    fewer multiplications. Exact up to rounding: computed in float64, rounded once.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        changes: list[str] = []
        for graph in (model.graph, *model.graph.subgraphs()):
            for node in list(graph):
                while node.domain == "" and node.graph is graph and (behind := _merge(node)) is not None:
                    changes.append(f"{node.name} and {behind.name} became one {node.op_type}")
        if changes:
            remove_unused(model)
        return Rewritten(model, changes)


def _merge(node: ir.Node) -> ir.Node | None:
    """The node behind it that was taken in."""
    y = node.outputs[0] if node.op_type in ("Conv", "Gemm", "MatMul") else None
    behind = y.consumers()[0] if y is not None and len(y.uses()) == 1 and not y.is_graph_output() else None
    if behind is None or behind.graph is not node.graph or behind.inputs[0] is not y or behind.domain != "":
        return None
    first, second = read(node), read(behind) if behind.op_type in _KINDS.get(node.op_type, ()) else None
    if first is None or second is None or max(first.weight.size, second.weight.size) > _MAX_ELEMENTS:
        return None
    if first.weight.dtype != second.weight.dtype or not (_is_plain(first) and _is_plain(second)):
        return None
    if node.op_type == "Conv" and not _is_pointwise(second):
        return None
    one, two = _matrix(first), _matrix(second)  # [in, out]
    if len(one) * two.shape[1] >= one.size + two.size:
        return None
    bias = first.bias @ two + second.bias
    if bias.any() and node.op_type == "MatMul" and not first.bias_may_be_added:
        return None
    return behind if _replace(first, behind, one @ two, bias) else None


_KINDS = {"Conv": ("Conv",), "Gemm": ("Gemm", "MatMul"), "MatMul": ("Gemm", "MatMul")}


def _is_plain(linear: Linear) -> bool:
    attributes = linear.node.attributes
    return attributes.get_int("group", 1) == 1 and not attributes.get_int("transA", 0)


def _is_pointwise(linear: Linear) -> bool:
    attributes = linear.node.attributes
    alone = all(size == 1 for size in linear.weight.shape.numpy()[2:])
    still = all(step == 1 for step in attributes.get_ints("strides", ())) and not any(attributes.get_ints("pads", ()))
    return alone and still and attributes.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID")


def _matrix(linear: Linear) -> Any:
    """The weight as [in, out]; of a Conv, every place of the kernel counts as an input."""
    weight = linear.weight.numpy().astype(np.float64)
    if linear.node.op_type == "Conv":
        return weight.reshape(len(weight), -1).T
    turned = linear.node.op_type == "Gemm" and linear.node.attributes.get_int("transB", 0)
    return (weight.T if turned else weight) * linear.node.attributes.get_float("alpha", 1.0)


def _replace(first: Linear, behind: ir.Node, product: Any, bias: Any) -> bool:
    """False, and nothing done, where a new weight would not be finite."""
    node, dtype = first.node, first.weight.dtype.numpy()
    sizes = first.weight.shape.numpy()
    shaped = product.T.reshape(product.shape[1], *sizes[1:]) if node.op_type == "Conv" else product
    with np.errstate(over="ignore", invalid="ignore"):
        weight, added = np.ascontiguousarray(shaped).astype(dtype), bias.astype(dtype)
    if not (np.isfinite(weight).all() and np.isfinite(added).all()):
        return False
    stem = node.name or node.outputs[0].name
    node.replace_input_with(1, add_constant(node.graph, weight, f"{stem}/merged_weight"))
    for name in ("alpha", "beta", "transB"):
        node.attributes.pop(name, None)
    if added.any() or len(node.inputs) > 2:
        node.resize_inputs(3)
        node.replace_input_with(2, add_constant(node.graph, added, f"{stem}/merged_bias"))
        node.op_type = "Gemm" if node.op_type == "MatMul" else node.op_type
    node.outputs[0].shape, node.outputs[0].type = behind.outputs[0].shape, behind.outputs[0].type
    bypass(behind, node.outputs[0])
    return True
