"""The quantisers of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant, constant
from . import operators, rounding
from .plan import Plan, Unit

_LEVELS = {"uint8": (np.uint8, 0), "int8": (np.int8, -128)}


@dataclass(frozen=True, slots=True)
class Levels:
    """Of a tensor: value = scale * (level - zero)."""

    scale: float
    zero: int


@dataclass(frozen=True, slots=True)
class Style:
    """activations: "uint8" or "int8". bits: of weights. per_channel: a scale for each channel of outputs. zero_points:
    whether zero may be any level; else tensors with negative values are int8 also where the others are uint8, and the
    level of zero is 0."""

    activations: str
    bits: int
    per_channel: bool
    zero_points: bool = True


def insert(model: ir.Model, plan: Plan, levels: Mapping[ir.Value, Levels], style: Style) -> None:
    """In place: QuantizeLinear and DequantizeLinear around the nodes of the plan, weights in int8, biases in int32.

    levels: of those tensors that give others their scale.
    """
    graph = model.graph
    readers = {(unit.node, index) for unit in plan.units for index, _ in unit.inputs}
    shared: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
    first = next(iter(graph))
    for value, root in plan.rounded.items():
        if value in plan.moved:
            continue
        if root not in shared:
            shared[root] = _levels(graph, str(root.name), levels[root], style)
        down = _node("QuantizeLinear", [value, *shared[root]], f"{value.name}/quantized")
        up = _node("DequantizeLinear", [down.outputs[0], *shared[root]], f"{value.name}/dequantized")
        up.outputs[0].type, up.outputs[0].shape = value.type, value.shape
        uses = [use for use in value.uses() if use.node is not down]
        maker = value.producer()
        if maker is None:
            first.prepend([down, up])
        else:
            maker.append([down, up])
        for use in uses:
            if value in plan.replaced or (use.node, use.idx) in readers:
                use.node.replace_input_with(use.idx, up.outputs[0])
        if value in plan.replaced and value.is_graph_output():
            name = value.name
            for position, output in enumerate(graph.outputs):
                if output is value:
                    graph.outputs[position] = up.outputs[0]
            value.name, up.outputs[0].name = f"{name}/float", name
    for unit in plan.units:
        _store(unit, plan, levels, style)


def _store(unit: Unit, plan: Plan, levels: Mapping[ir.Value, Levels], style: Style) -> None:
    """The weights of a node, and its bias, which is added to sums of products: its scale is the product of theirs."""
    node, axis = unit.node, operators.weight_axis(unit.node)
    if axis is None:
        return
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    of_input = np.float32(levels[plan.rounded[unit.inputs[0][1]]].scale)
    least: Any = 0.0 if bias is None else rounding.least_scale(bias.reshape(-1), of_input)
    chosen = axis if style.per_channel else None
    weights = constant(node.inputs[1])
    stored = rounding.round_off(weights, chosen, bits=style.bits, least=least if style.per_channel else np.max(least))
    _put(node, 1, stored.levels, stored.scale, axis=chosen, zero=np.zeros(stored.scale.shape, np.int8))
    if bias is not None:
        scale = of_input * stored.scale
        rounded = np.rint(bias.reshape(-1).astype(np.float64) / scale).astype(np.int32)
        _put(node, 2, rounded, scale, axis=0 if style.per_channel else None)


def _put(node: ir.Node, index: int, levels: Any, scale: Any, *, axis: int | None = None, zero: Any = None) -> None:
    """DequantizeLinear of what is stored in place of that input."""
    graph, value = node.graph, node.inputs[index]
    assert graph is not None
    assert value is not None
    name = f"{value.name}/{node.name}" if len(value.uses()) > 1 else value.name
    parts = [add_constant(graph, levels, f"{name}/levels"), add_constant(graph, np.asarray(scale), f"{name}/scale")]
    if zero is not None:
        parts.append(add_constant(graph, zero, f"{name}/zero"))
    attributes = [] if axis is None else [ir.AttrInt64("axis", axis)]
    up = _node("DequantizeLinear", parts, f"{name}/dequantized", attributes)
    up.outputs[0].type, up.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape(levels.shape)
    node.prepend(up)
    node.replace_input_with(index, up.outputs[0])


def _levels(graph: Any, name: str, levels: Levels, style: Style) -> tuple[ir.Value, ir.Value]:
    signed = not style.zero_points and levels.zero > 0
    dtype, lowest = _LEVELS["int8" if signed else style.activations]
    scale = add_constant(graph, np.array(levels.scale, np.float32), f"{name}/scale")
    return scale, add_constant(graph, np.array(levels.zero + lowest, dtype), f"{name}/zero")


def _node(op: str, inputs: list[ir.Value], name: str, attributes: Any = ()) -> ir.Node:
    made = ir.Node("", op, inputs, attributes, name=name)
    made.outputs[0].name = name
    return made
