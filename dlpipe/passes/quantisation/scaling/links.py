"""Where the scale of a channel can move: out of what makes a tensor, into the weights of those that read it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant, constant

# f(s * x) = s * f(x) for s > 0, channel by channel.
_HOMOGENEOUS = frozenset(
    {"AveragePool", "Dropout", "GlobalAveragePool", "GlobalMaxPool", "Identity", "LeakyRelu", "MaxPool", "Relu"}
)
_POOLS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"})
_FLATTENING = frozenset({"Flatten", "Reshape", "Squeeze"})
_NORMALISATIONS = frozenset({"LayerNormalization", "RMSNormalization"})
_PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})


@dataclass(frozen=True, slots=True)
class Side:
    """A stored input of a node. channels_first: its view with the channels of the link on axis 0, and back."""

    node: ir.Node
    index: int
    channels_first: Callable[[Any], Any]
    restored: Callable[[Any], Any]

    @property
    def array(self) -> Any:
        return constant(self.node.inputs[self.index])

    def multiply(self, scale: Any) -> None:
        """Along the channels; under a new name, for others may use the old weights."""
        old = self.node.inputs[self.index]
        rows = self.channels_first(self.array)
        made = self.restored(rows * scale.reshape(-1, *[1] * (rows.ndim - 1)))
        value = add_constant(self.node.graph, np.ascontiguousarray(made, np.float32), f"{old.name}/scaled")
        self.node.replace_input_with(self.index, value)

    def largest(self) -> Any:
        """Of each channel, float64."""
        rows = self.channels_first(self.array)
        return np.abs(rows.reshape(len(rows), -1)).max(axis=1).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Link:
    """value: what is read, `axis` that of its channels. makers: what gives it its scale; those after the first are
    added to it. readers: the weights that it is multiplied by. depthwise: they meet one channel each."""

    value: ir.Value
    axis: int
    makers: tuple[Side, ...]
    readers: tuple[Side, ...]
    depthwise: bool

    @property
    def channels(self) -> int:
        return int(self.value.shape[self.axis])

    def move(self, scale: Any) -> None:
        """The value becomes value / scale."""
        for side in self.makers:
            side.multiply(1.0 / scale)
        for side in self.readers:
            side.multiply(scale)


def links(graph: ir.Graph) -> Iterator[Link]:
    """Those of the graph, in its order."""
    values = {node.inputs[0]: None for node in graph if node.op_type in _PRODUCTS and node.domain == ""}
    for value in values:
        found = None if value is None else _link(graph, value)
        if found is not None:
            yield found


def _link(graph: ir.Graph, value: ir.Value) -> Link | None:
    if value.is_graph_output() or value.shape is None or len(value.shape) < 2:
        return None
    readers, axes, depthwise = [], set(), True
    for use in value.uses():
        found = _reader(use.node) if use.idx == 0 and use.node.graph is graph else None
        if found is None:
            return None
        axis, side, alone = found
        axes.add(axis % len(value.shape))
        readers.append(side)
        depthwise = depthwise and alone
    if len(axes) != 1:
        return None
    axis = axes.pop()
    channels = value.shape[axis]
    makers = _makers(value, axis, channels) if isinstance(channels, int) else None
    return Link(value, axis, tuple(makers), tuple(readers), depthwise) if makers else None


def _reader(node: ir.Node) -> tuple[int, Side, bool] | None:
    """(axis of the channels in what it reads, its weights, whether each output channel sees one of them)."""
    if node.op_type not in _PRODUCTS or node.domain != "" or node.inputs[1] is node.inputs[0]:
        return None
    weights = constant(node.inputs[1])
    if weights is None or weights.dtype != np.float32:
        return None
    if node.op_type == "Conv":
        groups, (outputs, inputs), rest = node.attributes.get_int("group", 1), weights.shape[:2], weights.shape[2:]
        apart = (groups, outputs // groups, inputs, *rest)
        turned = (groups * inputs, outputs // groups, *rest)
        side = Side(
            node,
            1,
            lambda array: np.swapaxes(array.reshape(apart), 1, 2).reshape(turned),
            lambda rows: np.swapaxes(rows.reshape(groups, inputs, *turned[1:]), 1, 2).reshape(weights.shape),
        )
        return 1, side, groups > 1 and inputs == 1
    if weights.ndim != 2 or node.attributes.get_int("transA", 0):
        return None
    return -1, _along(node, 1, 1 if node.attributes.get_int("transB", 0) else 0), False


def _makers(value: ir.Value, axis: int, channels: int) -> list[Side] | None:
    """Upwards, to the first node that gives each channel its scale; None where something else is met before."""
    node = value.producer()
    if node is None or node.domain != "":
        return None
    source = node.inputs[0]
    if node.op_type in _HOMOGENEOUS or node.op_type in _FLATTENING:
        keeps = axis == 1 if node.op_type in _POOLS else node.op_type not in _FLATTENING or _drops_ones(node)
        return _makers(source, axis, channels) if keeps and _is_only_read_here(source) else None
    if node.op_type in ("Add", "Mul"):
        index = 1 if constant(node.inputs[1]) is not None else 0
        stored = constant(node.inputs[index])
        if stored is None or stored.shape != (channels,) or axis != len(value.shape) - 1:
            return None
        side, other = _along(node, index, 0), node.inputs[1 - index]
        if node.op_type == "Mul":
            return [side]
        above = _makers(other, axis, channels) if _is_only_read_here(other) else None
        return None if above is None else [*above, side]
    if node.op_type in _NORMALISATIONS:
        rest = [_along(node, index, 0) for index in range(1, len(node.inputs)) if node.inputs[index] is not None]
        fits = node.attributes.get_int("axis", -1) in (-1, axis) and axis == len(value.shape) - 1
        return rest if fits and len(node.outputs) == 1 and all(_has(side, (channels,)) for side in rest) else None
    return _product(node, axis, channels, len(value.shape)) if node.op_type in _PRODUCTS else None


def _product(node: ir.Node, axis: int, channels: int, rank: int) -> list[Side] | None:
    weights = constant(node.inputs[1])
    if weights is None or weights.dtype != np.float32 or axis != (1 if node.op_type == "Conv" else rank - 1):
        return None
    if node.op_type == "Conv":
        sides = [_along(node, 1, 0)]
    else:
        sides = [_along(node, 1, 0 if node.attributes.get_int("transB", 0) else weights.ndim - 1)]
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        sides.append(_along(node, 2, 0))
        if not _has(sides[1], (channels,)):
            return None
    return sides if len(sides[0].channels_first(weights)) == channels else None


def _along(node: ir.Node, index: int, axis: int) -> Side:
    return Side(node, index, lambda array: np.moveaxis(array, axis, 0), lambda rows: np.moveaxis(rows, 0, axis))


def _has(side: Side, shape: tuple[int, ...]) -> bool:
    array = side.array
    return array is not None and array.dtype == np.float32 and array.shape == shape


def _drops_ones(node: ir.Node) -> bool:
    """[N, C, 1, 1] to [N, C]."""
    before, after = node.inputs[0].shape, node.outputs[0].shape
    if before is None or after is None or len(after) != 2 or len(before) < 2 or before[1] != after[1]:
        return False
    return all(dim == 1 for dim in list(before)[2:])


def _is_only_read_here(value: ir.Value | None) -> bool:
    return value is not None and len(value.uses()) == 1 and not value.is_graph_output() and value.shape is not None
