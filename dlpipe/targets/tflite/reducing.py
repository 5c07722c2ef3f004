"""Operators that make one value of many along axes, and norms."""

import numpy as np

from .elementwise import Sum, fixed
from .graph import Array, Quant, Tensor
from .handlers import handles
from .reading import Node
from .scope import Order, Scope, Value, inverse, plain

_KINDS = {
    "ReduceMean": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX", "ReduceMin": "REDUCE_MIN",
    "ReduceProd": "REDUCE_PROD", "ReduceL1": "SUM", "ReduceL2": "SUM", "ReduceSumSquare": "SUM",
}  # fmt: skip
_SOFTMAX = Quant.one(1 / 256, -128)


def _axes(s: Scope, node: Node, rank: int) -> list[int]:
    given = node.get("axes") if "axes" in node.attributes else s.maybe(node, 1, "its axes")
    if given is None or len(given) == 0:
        return [] if node.get("noop_with_empty_axes", 0) else list(range(rank))
    return sorted({int(axis) % rank for axis in given})


def without(order: Order, axes: list[int]) -> Order:
    """The order of what is left when these axes of the value are gone."""
    left = [place for axis, place in enumerate(order) if axis not in axes]
    return tuple(sorted(left).index(place) for place in left)


@handles(*_KINDS)
def _reduce(s: Scope, node: Node) -> None:
    name, given = node.outputs[0], s.value(node.inputs[0])
    axes, keep = _axes(s, node, len(given.order)), bool(node.get("keepdims", 1))
    tail = s.tail(node, fused=False)
    integers = given.is_int8 and node.op == "ReduceMean" and tail.quant is not None
    if given.is_int8 and node.op in ("ReduceMax", "ReduceMin"):  # levels in, the same levels out
        made = reduced(s, given, _KINDS[node.op], axes, keep, name, given.tensor.quant)
        s.bind(name, made, given.order if keep else without(given.order, axes))
        return
    value = given if integers else s.real(node.inputs[0])
    if node.op in ("ReduceL1", "ReduceL2", "ReduceSumSquare"):
        x = value.tensor
        kind, inputs = ("ABS", [x]) if node.op == "ReduceL1" else ("MUL", [x, x])
        value = Value(s.emit(kind, inputs, x.shape, x.dtype, name=name + "/each"), value.order)
    made = reduced(s, value, _KINDS[node.op], axes, keep, name, tail.quant if integers else None)
    if node.op == "ReduceL2":
        made = s.emit("SQRT", [made], made.shape, made.dtype, name=name)
    s.bind_tail(tail if integers else s.unrounded(tail), made, value.order if keep else without(value.order, axes))


def reduced(
    s: Scope, value: Value, kind: str, axes: list[int], keep: bool, name: str, quant: Quant | None = None
) -> Tensor:
    tensor = value.tensor
    places = sorted(value.order[axis] for axis in axes)
    if not places:
        return tensor
    shape = [1 if place in places else dim for place, dim in enumerate(tensor.shape) if keep or place not in places]
    inputs = [tensor, s.ints(name + "/axes", places)]
    return s.emit(kind, inputs, shape, tensor.dtype, name=name, quant=quant, keepDims=keep)


@handles("ArgMax", "ArgMin")
def _arg(s: Scope, node: Node) -> None:
    if node.get("select_last_index", 0):
        raise node.refuse("takes the last of equal values, and TFLite the first")
    given = s.value(node.inputs[0])
    axis = int(node.get("axis", 0)) % len(given.order)
    place = given.order[axis]
    shape = [dim for index, dim in enumerate(given.tensor.shape) if index != place]
    inputs = [given.tensor, s.store("axis", np.asarray(place, np.int32))]
    kind = "ARG_MAX" if node.op == "ArgMax" else "ARG_MIN"
    made = s.emit(kind, inputs, shape, "int64", name=node.outputs[0], outputType=4)  # int64, as in ONNX
    order = without(given.order, [axis])
    if node.get("keepdims", 1):
        made, order = (
            s.reshaped(s.laid(Value(made, order), plain(len(shape))), s.shape(node.outputs[0]), made.name),
            plain(len(shape) + 1),
        )
    s.bind(node.outputs[0], made, order)


@handles("TopK")
def _top(s: Scope, node: Node) -> None:
    found = s.real(node.inputs[0])
    rank = len(found.order)
    if int(node.get("axis", -1)) % rank != rank - 1 or not node.get("largest", 1):
        raise node.refuse("TFLite's TOPK_V2 finds the largest along the last axis only")
    tensor, shape = s.plainly(found), s.shape(node.outputs[0] or node.outputs[1])
    count = s.store("count", np.asarray(shape[-1], np.int32))
    names = [name or node.name for name in node.outputs]
    outputs = [(names[0], shape, tensor.dtype), (names[1], shape, "int32")]
    values, places = s.emit_many("TOPK_V2", [tensor, count], outputs)
    if node.outputs[0]:
        s.bind(node.outputs[0], values)
    if node.outputs[1]:
        s.bind(node.outputs[1], s.emit("CAST", [places], shape, "int64", name=node.outputs[1]))


@handles("Softmax", "LogSoftmax")
def _softmax(s: Scope, node: Node) -> None:
    given = s.value(node.inputs[0])
    rank = len(given.order)
    axis = int(node.get("axis", -1)) % rank
    if given.order[axis] == rank - 1:
        order = given.order
    else:  # the axis last, and the others as they lie
        others = [place for place in range(rank) if place != given.order[axis]]
        order = tuple(rank - 1 if place == given.order[axis] else others.index(place) for place in given.order)
    name = node.outputs[0]
    if given.is_int8 and node.op == "Softmax" and s.integer:
        fixed(s, node, "SOFTMAX", s.laid(given, order), order, _SOFTMAX, beta=1.0)
        return
    tensor = s.laid(s.real(node.inputs[0]), order)
    if node.op == "Softmax":
        made = s.emit("SOFTMAX", [tensor], tensor.shape, "float32", name=name, beta=1.0)
    else:
        made = s.emit("LOG_SOFTMAX", [tensor], tensor.shape, "float32", name=name)
    s.bind(name, made, order)


def _along(value: Value, stored: Array, axes: list[int]) -> Array:
    """A stored array over these axes of the value, as it lies in the tensor."""
    shape = [dim if axis in axes else 1 for axis, dim in enumerate(value.shape)]
    spread = np.broadcast_to(stored, [value.shape[axis] for axis in axes]).reshape(shape)
    return spread.transpose(inverse(value.order)).astype(np.float32)


@handles("BatchNormalization")
def _batch_norm(s: Scope, node: Node) -> None:
    if node.get("training_mode", 0):
        raise node.refuse("is in training mode")
    scale, shift, mean, variance = (s.needed(node, index, "one of its vectors") for index in range(1, 5))
    factor = scale / np.sqrt(variance + node.get("epsilon", 1e-5))
    to = Sum(s, node, s.real(node.inputs[0]))
    scaled = to.op("MUL", to.value.tensor, s.store("factor", _along(to.value, factor, [1])))
    to.bind(to.op("ADD", scaled, s.store("shift", _along(to.value, shift - mean * factor, [1]))))


def _normalised(s: Scope, to: Sum, axes: list[int], epsilon: float, *, centred: bool = True) -> Tensor:
    x, name = to.value.tensor, to.name
    if centred:
        x = to.op("SUB", x, reduced(s, to.value, "MEAN", axes, True, name + "/mean"))
    square = Value(to.op("MUL", x, x), to.value.order)
    spread = reduced(s, square, "MEAN", axes, True, name + "/variance")
    spread = s.emit("ADD", [spread, s.number(epsilon)], spread.shape, "float32", name=name)
    return to.op("MUL", x, s.emit("RSQRT", [spread], spread.shape, "float32", name=name))


@handles("LayerNormalization", "RMSNormalization")
def _layer_norm(s: Scope, node: Node) -> None:
    if len([name for name in node.outputs if name]) > 1:
        raise node.refuse("also gives its mean and deviation")
    to = Sum(s, node, s.real(node.inputs[0]))
    rank = len(to.value.order)
    axes = list(range(int(node.get("axis", -1)) % rank, rank))
    made = _normalised(s, to, axes, node.get("epsilon", 1e-5), centred=node.op == "LayerNormalization")
    scale, shift = s.needed(node, 1, "its scale"), s.maybe(node, 2, "its offset")
    made = to.op("MUL", made, s.store("scale", _along(to.value, scale, axes)))
    if shift is not None:
        made = to.op("ADD", made, s.store("shift", _along(to.value, shift, axes)))
    to.bind(made)


@handles("InstanceNormalization")
def _instance_norm(s: Scope, node: Node) -> None:
    to = Sum(s, node, s.real(node.inputs[0]))
    axes = list(range(2, len(to.value.order)))
    made = _normalised(s, to, axes, node.get("epsilon", 1e-5))
    scale, shift = s.needed(node, 1, "its scale"), s.needed(node, 2, "its offset")
    made = to.op("MUL", made, s.store("scale", _along(to.value, scale, [1])))
    to.bind(to.op("ADD", made, s.store("shift", _along(to.value, shift, [1]))))


@handles("LpNormalization")
def _lp_norm(s: Scope, node: Node) -> None:
    to = Sum(s, node, s.real(node.inputs[0]))
    axis = int(node.get("axis", -1)) % len(to.value.order)
    x = to.value.tensor
    each = Value(to.op("MUL", x, x) if node.get("p", 2) == 2 else to.op("ABS", x), to.value.order)
    total = reduced(s, each, "SUM", [axis], True, to.name + "/sum")
    if node.get("p", 2) == 2:
        total = s.emit("SQRT", [total], total.shape, "float32", name=to.name)
    to.bind(to.op("DIV", x, total))


@handles("LRN")
def _lrn(s: Scope, node: Node) -> None:
    """TFLite's alpha is not divided by the size; its window is 2 * radius + 1 wide."""
    found, size = s.real(node.inputs[0]), node.get("size")
    if size % 2 == 0:
        raise node.refuse("its window has an even size, and TFLite's is centred")
    tensor = s.laid(found, (0, 3, 1, 2))
    made = s.emit(
        "LOCAL_RESPONSE_NORMALIZATION", [tensor], tensor.shape, "float32", name=node.outputs[0], radius=size // 2,
        alpha=float(node.get("alpha", 1e-4)) / size, beta=float(node.get("beta", 0.75)),
        bias=float(node.get("bias", 1.0)),
    )  # fmt: skip
    s.bind(node.outputs[0], made, (0, 3, 1, 2))
