"""Operators whose earlier form takes other nodes or new weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from .infra import add_constant, bypass, constant
from .transposes import inverse

_RESIZE_MODES = {
    "coordinate_transformation_mode": "half_pixel",
    "mode": "nearest",
    "nearest_mode": "round_prefer_floor",
}


@dataclass(frozen=True, slots=True)
class Lowered:
    """`line`: what was done, if it is worth saying. `nodes`: new ones in the place of the node, which are to be brought
    down themselves. `refusal`: why it cannot be done; then the node is as it was."""

    line: str | None = None
    nodes: tuple[ir.Node, ...] = ()
    refusal: str | None = None


Adapter = Callable[[ir.Node], Lowered]


def value_of(value: ir.Value | None) -> Any:
    """The array of a weight or of a Constant node."""
    if value is None:
        return None
    array = constant(value)
    if array is None and not value.is_graph_input() and value.producer() is not None:
        tensor = ir.convenience.get_const_tensor(value)
        array = None if tensor is None else tensor.numpy()
    return array


def given(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def softmax(node: ir.Node) -> Lowered:
    """Before set 13 it ran over all axes from `axis` on: over one only where that is the last."""
    shape, x = node.outputs[0].shape, node.inputs[0]
    axis = node.attributes.get_int("axis", -1)
    if shape is None or x is None:
        return Lowered(refusal="the rank of its input is unknown")
    rank = len(shape)
    axis %= rank
    node.attributes["axis"] = ir.AttrInt64("axis", rank - 1)
    if axis == rank - 1:
        return Lowered()
    perm = [each for each in range(rank) if each != axis] + [axis]
    before = ir.Node("", "Transpose", [x], [ir.AttrInt64s("perm", perm)], name=f"{node.name}/turned")
    before.outputs[0].name, before.outputs[0].type = f"{node.name}/turned", x.type
    node.prepend(before)
    node.replace_input_with(0, before.outputs[0])
    back = ir.Node(
        "", "Transpose", [node.outputs[0]], [ir.AttrInt64s("perm", list(inverse(perm)))], name=f"{node.name}/back"
    )
    _put_behind(node, back, f"{node.name}/along_last")
    return Lowered("along the last axis, between Transposes", (before, back))


def _put_behind(node: ir.Node, last: ir.Node, between: str) -> None:
    """Whoever read the node's output reads that of `last`, whose first input it is; an output of the graph keeps its
    name. between: the name of what the node makes from now on."""
    made, result = node.outputs[0], last.outputs[0]
    was_output, name = made.is_graph_output(), made.name
    result.type, result.shape = made.type, made.shape
    node.append(last)
    made.replace_all_uses_with(result, replace_graph_outputs=True)
    last.replace_input_with(0, made)
    made.name, made.shape = between, None
    result.name = name if was_output else last.name


def split_evenly(node: ir.Node) -> Lowered:
    """num_outputs is how many outputs there are; before set 18 they had to be equally long."""
    if "num_outputs" not in node.attributes:
        return Lowered()
    axis, shape = node.attributes.get_int("axis", 0), node.inputs[0].shape if node.inputs[0] is not None else None
    size = shape[axis] if shape is not None else None
    count = node.attributes["num_outputs"].as_int()
    if not isinstance(size, int):
        return Lowered(refusal=f"how long axis {axis} is, and with it each part, is not known")
    del node.attributes["num_outputs"]
    part = -(-size // count)
    if size % count:
        parts = np.array([part] * (count - 1) + [size - part * (count - 1)], np.int64)
        node.resize_inputs(2)
        node.replace_input_with(1, add_constant(node.graph, parts, f"{node.name}/split"))
    return Lowered()


def pad(node: ir.Node) -> Lowered:
    axes, pads = value_of(given(node, 3)), value_of(given(node, 1))
    if given(node, 3) is None:
        return Lowered()
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    if axes is None or pads is None or shape is None:
        return Lowered(refusal="its axes or pads are computed when the model runs, or the rank is unknown")
    full = np.zeros((2, len(shape)), np.int64)
    full[:, [int(axis) % len(shape) for axis in axes]] = pads.reshape(2, -1)
    node.replace_input_with(1, add_constant(node.graph, full.reshape(-1), f"{node.name}/pads"))
    node.resize_inputs(3)
    return Lowered("pads of all axes")


def cast_like(node: ir.Node) -> Lowered:
    kind = node.inputs[1].dtype if node.inputs[1] is not None else None
    if kind is None:
        return Lowered(refusal="the type that it casts to is unknown")
    cast = ir.Node("", "Cast", [node.inputs[0]], [ir.AttrInt64("to", int(kind))], name=node.name)
    cast.outputs[0].name = node.outputs[0].name
    cast.outputs[0].type, cast.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    node.append(cast)
    bypass(node, cast.outputs[0])
    return Lowered(None, (cast,))


def gemm(node: ir.Node) -> Lowered:
    """Before set 11 it always added something."""
    if given(node, 2) is not None:
        return Lowered()
    dtype = node.inputs[0].dtype if node.inputs[0] is not None else None
    if dtype is None:
        return Lowered(refusal="the type of its inputs is unknown")
    node.resize_inputs(3)
    node.replace_input_with(2, add_constant(node.graph, np.zeros(1, dtype.numpy()), f"{node.name}/zero"))
    return Lowered("adds zero")


def shape_part(node: ir.Node) -> Lowered:
    """Of some axes: a Slice behind it."""
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", np.iinfo(np.int64).max)
    given = {"start", "end"} & set(node.attributes)
    for name in given:
        del node.attributes[name]
    if not given or (start == 0 and end == np.iinfo(np.int64).max):
        return Lowered()
    made = node.outputs[0]
    numbers = [add_constant(node.graph, np.array([n], np.int64), f"{node.name}/slice") for n in (start, end, 0)]
    part = ir.Node("", "Slice", [made, *numbers], name=f"{node.name}/part")
    _put_behind(node, part, f"{node.name}/all")
    return Lowered("a Slice of all sizes", (part,))


def resize_with_all_inputs(node: ir.Node) -> Lowered:
    """Before set 13 roi and scales had to be there, if empty."""
    for index, name in ((1, "roi"), (2, "scales")):
        if given(node, index) is None:
            node.resize_inputs(max(len(node.inputs), index + 1))
            node.replace_input_with(index, add_constant(node.graph, np.zeros(0, np.float32), f"{node.name}/{name}"))
    return Lowered()


def resize_half_pixel_symmetric(node: ir.Node) -> Lowered:
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    return Lowered(refusal=f"its coordinates are {mode}") if mode == "half_pixel_symmetric" else Lowered()


def resize_asymmetric(node: ir.Node) -> Lowered:
    """Before set 11 there was this way only."""
    modes = {name: node.attributes.get_string(name, default) for name, default in _RESIZE_MODES.items()}
    plain = modes["coordinate_transformation_mode"] == "asymmetric" and (
        modes["mode"] == "linear" or (modes["mode"] == "nearest" and modes["nearest_mode"] == "floor")
    )
    scales = value_of(given(node, 2))
    if not plain or scales is None or scales.size == 0:
        return Lowered(refusal=f"before set 11 it knew asymmetric coordinates and stored scales only (here {modes})")
    for name in [each for each in node.attributes if each != "mode"]:
        del node.attributes[name]
    node.replace_input_with(1, node.inputs[2])
    node.resize_inputs(2)
    return Lowered()
