"""Dense layers, and products of matrices that are both computed."""

import numpy as np

from .graph import Array, Quant, Tensor
from .handlers import handles
from .reading import Node
from .scope import ACTIVATIONS, Scope, Value, plain
from .weights import bias_levels, per_channel


@handles("Gemm")
def _gemm(s: Scope, node: Node) -> None:
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    matrix = s.constant(node.inputs[1])
    if matrix is None or node.get("transA", 0):
        _computed_gemm(s, node, alpha, beta)
        return
    transposed = bool(node.get("transB", 0))
    bias = s.constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    added = len(node.inputs) > 2 and node.inputs[2] != ""
    count = matrix.shape[0 if transposed else 1]
    if added and (bias is None or bias.size not in (1, count) or (bias.size > 1 and bias.shape[-1] != count)):
        raise node.refuse("what it adds is computed, or differs from row to row")
    connect(s, node, 0 if transposed else 1, transposed, alpha, bias, beta, 2)


@handles("MatMul")
def _matmul(s: Scope, node: Node) -> None:
    matrix = s.constant(node.inputs[1])
    rank = len(s.shape(node.inputs[0]))
    if matrix is not None and matrix.ndim == 2 and rank >= 2 and s.constant(node.inputs[0]) is None:
        connect(s, node, 1, False, 1.0, None, 0.0, None)
        return
    _batched(s, node)


def connect(
    s: Scope, node: Node, axis: int, transposed: bool, alpha: float, bias: Array | None, beta: float, index: int | None
) -> None:
    """FULLY_CONNECTED. `axis`: of the outputs in the stored matrix; `index`: of the bias among the inputs."""
    given, weights, name = s.value(node.inputs[0]), s.weights.get(node.inputs[1]), node.outputs[0]
    target, extra = name, None
    if index is None:  # a bias that is added behind, in float
        extra, target = _added(s, name, s.shape(name)[-1])
    tail = s.tail(node, value=target)
    integers = given.is_int8 and weights is not None and tail.quant is not None and per_channel(weights, axis)
    integers = integers and alpha == 1.0 and beta in (0.0, 1.0)
    if integers and extra is not None:
        integers = False
    matrix = weights.levels if integers and weights is not None else s.needed(node, 1, "its matrix")
    kept = matrix if transposed else matrix.T
    value = given if integers else s.real(node.inputs[0])
    if value.shuffle is not None:
        kept = kept[:, value.shuffle]
    tensor = value.tensor if value.shuffle is not None else s.plainly(value)
    count, out = kept.shape[0], s.shape(name)
    if integers and weights is not None and tensor.quant is not None:
        scale = np.broadcast_to(weights.scale, (count,)) if weights.scale.size > 1 else weights.scale
        steps = scale.astype(np.float64) * tensor.quant.scale[0]
        stored = s.store(node.inputs[1], kept, Quant.each(scale))
        levels = bias_levels(s, node, index or 99, np.broadcast_to(steps, (count,)), count)
        added: Tensor | None = s.store(name + "/bias", levels, Quant.each(steps))
    else:
        stored = s.store(node.inputs[1], kept.astype(np.float32) * np.float32(alpha))
        sum_ = extra if extra is not None else None if bias is None else bias * np.float32(beta)
        added = None
        if sum_ is not None:
            added = s.store(name + "/bias", np.broadcast_to(sum_.reshape(-1), (count,)).astype(np.float32))
    if extra is not None:
        s.done.add(id(s.only_reader(name)))
    made = s.emit(
        "FULLY_CONNECTED",
        [tensor, stored, added],
        out,
        "int8" if integers else "float32",
        name=target,
        quant=tail.quant if integers else None,
        fusedActivationFunction=ACTIVATIONS[tail.activation],
        keepNumDims=len(out) > 2,
    )
    s.bind_tail(tail if integers else s.unrounded(tail), made)


def _added(s: Scope, name: str, count: int) -> tuple[Array | None, str]:
    """A stored vector that is added to a product and nothing else is done with it, and the name of the sum."""
    node = s.only_reader(name)
    if node is None or node.op != "Add":
        return None, name
    other = node.inputs[1] if node.inputs[0] == name else node.inputs[0]
    stored = s.constant(other)
    if stored is None or stored.size not in (1, count) or (stored.size > 1 and stored.shape[-1] != count):
        return None, name
    if s.shape(node.outputs[0]) != s.shape(name):
        return None, name
    return np.broadcast_to(stored.reshape(-1), (count,)), node.outputs[0]


def _batched(s: Scope, node: Node) -> None:
    """A product of two values that are both computed, or of stacks of matrices."""
    first, second = s.real(node.inputs[0]), s.real(node.inputs[1])
    name, out = node.outputs[0], s.shape(node.outputs[0])
    shapes = [first.shape, second.shape]
    if len(shapes[0]) == 1 or len(shapes[1]) == 1:
        raise node.refuse("multiplies with a vector, and TFLite with matrices only")
    left, left_turned = _operand(s, first)
    right, right_turned = _operand(s, second)
    made = s.emit("BATCH_MATMUL", [left, right], out, "float32", name=name, adjX=left_turned, adjY=right_turned)
    s.bind(name, made)


def _operand(s: Scope, value: Value) -> tuple[Tensor, bool]:
    """A matrix that lies transposed is read so."""
    rank = len(value.order)
    turned = (*plain(rank)[:-2], rank - 1, rank - 2)
    if value.order == turned and value.tensor.data is None:
        return value.tensor, True
    return s.plainly(value), False


def _computed_gemm(s: Scope, node: Node, alpha: float, beta: float) -> None:
    first, second = s.real(node.inputs[0]), s.real(node.inputs[1])
    name, out = node.outputs[0], s.shape(node.outputs[0])
    made = s.emit(
        "BATCH_MATMUL", [s.plainly(first), s.plainly(second)], out, "float32", name=name + "/product",
        adjX=bool(node.get("transA", 0)), adjY=bool(node.get("transB", 0)),
    )  # fmt: skip
    if alpha != 1.0:
        made = s.emit("MUL", [made, s.number(alpha)], out, "float32", name=name + "/scaled")
    if len(node.inputs) > 2 and node.inputs[2]:
        other = s.plainly(s.real(node.inputs[2]))
        if beta != 1.0:
            other = s.emit("MUL", [other, s.number(beta)], other.shape, "float32", name=name + "/added")
        made = s.emit("ADD", [made, other], out, "float32", name=name)
    s.bind(name, made)
