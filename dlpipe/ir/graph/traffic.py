"""Bytes that one run moves at least, and how many of its multiplications are of integers: from the graph alone.

Every weight is read once, as it is stored. Of the activations those count that a node which multiplies (a convolution,
a product, a recurrent layer) reads and writes: what lies between two such nodes is elementwise, and runtimes compute it
where the values are. A quantised activation counts as the integers that it is: QuantizeLinear and DequantizeLinear are
how ONNX writes that down, not something that is stored.
"""

from collections.abc import Mapping
from typing import Any

import onnx

from . import macs, walk

_EIGHT_BITS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
_SAME_VALUES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity")
_AS_STORED = (*_SAME_VALUES, "DequantizeLinear")
_ROUNDED = (*_AS_STORED, "QuantizeLinear")
_BODIES = ("Loop", "Scan", "If")


def count(model: Any) -> dict[str, int]:
    """{"bytes_moved", "integer_macs"} of a model with its shapes inferred. Raises `macs.Unknown` with the reason."""
    graph = model.graph
    shapes, types = macs.shapes_of(graph, {}), _types(graph)
    makers = {name: node for node in graph.node for name in node.output}
    moved = sum(walk.elements(each.dims) * walk.item_bits(each.data_type) for each, _ in walk.tensors(model))
    weights = {tensor.name for tensor in graph.initializer}
    integer = 0
    for node in graph.node:
        multiplied = macs.of_node(node, shapes)
        if not multiplied:
            continue
        if node.op_type in _BODIES:
            raise macs.Unknown(f"what {node.op_type} {node.name!r} moves is not counted")
        stored = [_stored(name, makers, types) for name in node.input[:2]]
        if all(each in _EIGHT_BITS for each in stored):
            integer += multiplied
        activations = [name for name in node.input[:2] if _origin(name, makers, _ROUNDED) not in weights]
        for name in (*activations, node.output[0]):
            # What it writes it writes in the type that it reads.
            moved += walk.elements(macs.size(node, shapes, name)) * walk.item_bits(stored[0] or onnx.TensorProto.FLOAT)
    return {"bytes_moved": moved // 8, "integer_macs": integer}


def _origin(name: str, makers: Mapping[str, Any], through: tuple[str, ...]) -> str:
    """The tensor that it was before the nodes of these types gave it another form."""
    while (node := makers.get(name)) is not None and node.op_type in through:
        name = node.input[0]
    return name


def _stored(name: str, makers: Mapping[str, Any], types: Mapping[str, int]) -> int | None:
    """The element type of that; None where it is not known."""
    return types.get(_origin(name, makers, _AS_STORED))


def _types(graph: Any) -> dict[str, int]:
    found = {each.name: each.type.tensor_type.elem_type for each in (*graph.input, *graph.value_info, *graph.output)}
    return found | {each.name: each.data_type for each in graph.initializer}
