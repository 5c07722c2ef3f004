"""paddle2onnx writes weights as Constant nodes, and small steps between them and where they are used: all become
initializers here, so that shapes can be inferred through them."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import numpy_helper


def fold(graph: Any) -> None:
    kept: list[Any] = []
    known = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        tensor = None if node.output[0] in outputs else _value(node, known)
        if tensor is None:
            node.name = node.name or node.output[0]
            kept.append(node)
            continue
        tensor.name = node.output[0]
        known[tensor.name] = tensor
        graph.initializer.append(tensor)
    del graph.node[:]
    graph.node.extend(kept)
    _drop_unused(graph)


def _value(node: Any, known: dict[str, Any]) -> Any:
    """The tensor it gives, where that is known already."""
    if node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name == "value":
        tensor = type(node.attribute[0].t)()
        tensor.CopyFrom(node.attribute[0].t)
        return tensor
    if not node.input or any(name not in known for name in node.input):
        return None
    if node.op_type == "Identity":
        tensor = type(known[node.input[0]])()
        tensor.CopyFrom(known[node.input[0]])
        return tensor
    if node.op_type == "Reshape" and not node.attribute:
        data, shape = (numpy_helper.to_array(known[name]) for name in node.input)
        wanted = [data.shape[axis] if size == 0 else int(size) for axis, size in enumerate(shape)]
        return numpy_helper.from_array(np.ascontiguousarray(data.reshape(wanted)))
    return None


def _drop_unused(graph: Any) -> None:
    used = {value.name for value in graph.output} | _names(graph)
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _names(graph: Any) -> set[str]:
    """What its nodes read, those of loops and branches included."""
    found: set[str] = set()
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                found |= _names(inner)
                found.update(value.name for value in inner.output)
    return found
