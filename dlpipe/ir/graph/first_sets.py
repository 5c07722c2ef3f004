"""Operator sets 1 to 6 to set 7: attributes became inputs, and broadcasting became NumPy's.

ONNX's converter has no way for several of these, and leaves the slopes of PRelu on the wrong axis. Source: the change
log of the operators (Changelog.md of onnx), sets 2 to 7.
"""

from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused

from . import walk, writing

LAST = 7
_BROADCAST = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
_SELU = {"alpha": 1.6732, "gamma": 1.0507}  # what they were unless given, until set 6 gave them more digits
_DROPPED = {  # hints of memory and training, which say nothing of what is computed when a trained net runs
    "*": ("consumed_inputs",),
    "BatchNormalization": ("is_test",),
    "Dropout": ("is_test",),
    "LSTM": ("output_sequence",),
    "GRU": ("output_sequence",),
    "RNN": ("output_sequence",),
    "Gemm": ("broadcast",),
}


def upgrade(model: Any, ranks: dict[str, int]) -> None:
    """In place. ranks: of values, where they are known. Raises Refused for what cannot be told from the file."""
    writing.replace_nodes(model, lambda node: _rule(node, ranks))
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = LAST


def _rule(node: Any, ranks: dict[str, int]) -> writing.Replace | None:
    if node.domain not in ("", "ai.onnx"):
        return None
    for name in (*_DROPPED["*"], *_DROPPED.get(node.op_type, ())):
        _drop(node, name)
    if node.op_type in _BROADCAST:
        return _broadcast(node, ranks)
    if node.op_type == "PRelu":
        return lambda node, writer: _aligned(node, writer, ranks, axis=1)
    if node.op_type in ("Reshape", "Upsample", "Tile"):
        return _tile(node, ranks) if node.op_type == "Tile" else _ATTRIBUTES[node.op_type](node)
    _renamed(node)
    return None


def _renamed(node: Any) -> None:
    """What only writes an attribute in another way."""
    given = writing.attributes(node)
    if node.op_type == "Concat":
        _give(node, "axis", given.get("axis", 1))
    elif node.op_type == "Pad" and "paddings" in given:
        _drop(node, "paddings")
        _give(node, "pads", given["paddings"])
    elif node.op_type == "Cast" and isinstance(given.get("to"), str):
        _give(node, "to", _type(node, given["to"].upper()))
    elif node.op_type in ("GlobalLpPool", "LpPool") and isinstance(given.get("p"), float):
        if given["p"] != int(given["p"]):
            raise _unknown(node, "its power is no whole number")
        _give(node, "p", int(given["p"]))
    elif node.op_type == "Selu":
        for name, value in _SELU.items():
            _give(node, name, given.get(name, value))
    elif node.op_type == "AveragePool" and (any(given.get("pads", ())) or "SAME" in str(given.get("auto_pad"))):
        # ONNX's converter says no, its evaluator says yes, and the text of set 1 says nothing.
        raise _unknown(node, "whether its padding counts for the average was not settled before set 7")
    elif node.op_type == "Split" and len(node.input) > 1:
        raise _unknown(node, "the sizes of its parts are an input")


def _type(node: Any, name: str) -> int:
    try:
        return int(onnx.TensorProto.DataType.Value(name))
    except ValueError as error:
        raise Refused(f"Cast to {name!r}, which is no type", node=node.name, op=node.op_type) from error


def _broadcast(node: Any, ranks: dict[str, int]) -> writing.Replace | None:
    """`broadcast` and `axis`: where the second input's first axis stands in the first input."""
    given = writing.attributes(node)
    _drop(node, "broadcast")
    _drop(node, "axis")
    if not given.get("broadcast") or "axis" not in given:
        return None
    return lambda node, writer: _aligned(node, writer, ranks, axis=int(given["axis"]))


def _aligned(node: Any, writer: writing.Writer, ranks: dict[str, int], *, axis: int) -> None:
    """The second input with axes of length 1 behind it, so that its first one meets `axis` of the first input."""
    rank, own = ranks.get(node.input[0]), ranks.get(node.input[1])
    if rank is None or own is None:
        raise _unknown(node, f"the rank of its input {node.input[0 if rank is None else 1]!r} is not known")
    behind = rank - own - (axis + rank if axis < 0 else axis)
    second = node.input[1]
    if behind > 0 and not (node.op_type == "PRelu" and _has_one_element(writer, second)):
        second = writer.op("Unsqueeze", second, axes=list(range(own, own + behind)))
    writer.op(node.op_type, node.input[0], second, output=node.output[0], name=node.name)


def _has_one_element(writer: writing.Writer, name: str) -> bool:
    return any(each.name == name and walk.elements(each.dims) == 1 for each in writer.graph.initializer)


def _reshape(node: Any) -> writing.Replace | None:
    shape = writing.attributes(node).get("shape")
    if shape is None:
        return None

    def write(node: Any, writer: writing.Writer) -> None:
        target = writer.constant(shape, "shape", np.int64)
        writer.op("Reshape", node.input[0], target, output=node.output[0], name=node.name)

    return write


def _upsample(node: Any) -> writing.Replace | None:
    given = writing.attributes(node)
    scales = given.get("scales")
    if scales is None and "height_scale" in given and "width_scale" in given:
        scales = [1.0, 1.0, given["height_scale"], given["width_scale"]]
    if scales is None:
        raise _unknown(node, "it has no scales")

    def write(node: Any, writer: writing.Writer) -> None:
        more = {"mode": given["mode"]} if "mode" in given else {}
        writer.op("Upsample", node.input[0], output=node.output[0], name=node.name, scales=scales, **more)

    return write


def _tile(node: Any, ranks: dict[str, int]) -> writing.Replace | None:
    """Set 1: how often, along which axis. Since set 6: how often along each."""
    if len(node.input) != 3:
        return None

    def write(node: Any, writer: writing.Writer) -> None:
        stored = {each.name: onnx.numpy_helper.to_array(each) for each in writer.graph.initializer}
        rank = ranks.get(node.input[0])
        times, axis = stored.get(node.input[1]), stored.get(node.input[2])
        if rank is None or times is None or axis is None:
            raise _unknown(node, "its rank, or how often it repeats, is not known")
        repeats = np.ones(rank, np.int64)
        repeats[int(axis.item())] = int(times.item())
        target = writer.constant(repeats, "repeats", np.int64)
        writer.op("Tile", node.input[0], target, output=node.output[0], name=node.name)

    return write


_ATTRIBUTES = {"Reshape": _reshape, "Upsample": _upsample}


def _give(node: Any, name: str, value: Any) -> None:
    _drop(node, name)
    node.attribute.append(onnx.helper.make_attribute(name, value))


def _drop(node: Any, name: str) -> None:
    kept = [each for each in node.attribute if each.name != name]
    if len(kept) < len(node.attribute):
        copies = [onnx.AttributeProto.FromString(each.SerializeToString()) for each in kept]
        del node.attribute[:]
        node.attribute.extend(copies)


def _unknown(node: Any, why: str) -> Refused:
    return Refused(
        f"this {node.op_type} of an old operator set cannot be brought to a newer one: {why}",
        kind="unsupported",
        node=node.name,
        op=node.op_type,
    )
