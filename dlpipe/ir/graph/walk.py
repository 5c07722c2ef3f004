"""Walk a ModelProto: every graph (bodies of If, Loop and Scan included), every node, every tensor."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx


def graphs(graph: Any) -> Iterator[Any]:
    """The graph and all graphs nested in its nodes, outermost first."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from graphs(body)


def bodies(node: Any) -> list[Any]:
    """The graphs of a node: of If, Loop, Scan."""
    return [body for each in node.attribute for body in ([each.g] if each.HasField("g") else each.graphs)]


def inside(node: Any) -> list[str]:
    """The operators of its graphs, sorted."""
    found = (qualified(each) for body in bodies(node) for graph in graphs(body) for each in graph.node)
    return sorted(set(found))


def captured(node: Any) -> list[str]:
    """What its graphs read from around the node, sorted."""
    found: set[str] = set()
    for body in bodies(node):
        own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
        own |= {name for each in body.node for name in each.output}
        read = {value.name for value in body.output}
        for each in body.node:
            read |= {*each.input, *captured(each)}
        found |= read - own - {""}
    return sorted(found)


def nodes(model: Any) -> Iterator[Any]:
    """All nodes of the model: of the main graph, of nested graphs, of functions."""
    for graph in graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        for node in function.node:
            yield node
            for attribute in node.attribute:
                for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                    for inner in graphs(body):
                        yield from inner.node


def tensors(model: Any) -> Iterator[tuple[Any, Any | None]]:
    """All (TensorProto, the node it is an attribute of, or None for an initializer)."""
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            yield tensor, None
        for sparse in graph.sparse_initializer:
            yield sparse.values, None
            yield sparse.indices, None
    for node in nodes(model):
        for attribute in node.attribute:
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                yield tensor, node
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values, node
                yield attribute.sparse_tensor.indices, node


def dtype(elem_type: int) -> str:
    """numpy's name of an ONNX element type ("float32"); ONNX's own name where numpy has none ("bfloat16")."""
    if elem_type == onnx.TensorProto.STRING:
        return "str"
    name = str(onnx.TensorProto.DataType.Name(elem_type)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def item_bits(elem_type: int) -> int:
    """Bits per element as stored; strings and unknown types count as 8."""
    name = str(onnx.TensorProto.DataType.Name(elem_type))
    if name.endswith("4") and "INT" in name:
        return 4
    try:
        return int(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).itemsize) * 8
    except (KeyError, TypeError, ValueError):
        return 8


def dims(value_info: Any) -> list[int | str | None] | None:
    """Sizes; a name where symbolic, None where unknown. None altogether when not even the rank is known."""
    kind = value_info.type.tensor_type
    if not value_info.type.HasField("tensor_type") or not kind.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None) for dim in kind.shape.dim]


def ranks(graph: Any) -> dict[str, int]:
    """Name -> rank of all values of the main graph where it is known."""
    found = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = dims(value)
        if shape is not None:
            found[value.name] = len(shape)
    return found


def elements(shape: Any) -> int:
    return math.prod(int(size) for size in shape)


def qualified(node: Any) -> str:
    """`Conv`, or `com.example::Thing` outside the standard domain."""
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"
