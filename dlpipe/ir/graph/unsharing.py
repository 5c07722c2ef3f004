"""Integer weights that several products read, copied for each: ONNX Runtime 1.31.1 cannot make shared ones precise."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx

_READERS = ("MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")
_WEIGHT = 1  # index of the input


def unshared(source: Path | bytes) -> bytes:
    """The model of that file or in memory, weights inside. Raises ValueError above 2 GiB, where a message of protobuf
    ends."""
    model = onnx.load_model_from_string(source) if isinstance(source, bytes) else onnx.load(str(source))
    stored = {each.name: each for each in model.graph.initializer}
    products = [node for node in _nodes(model.graph) if node.op_type in _READERS and node.input[_WEIGHT] in stored]
    left = Counter(node.input[_WEIGHT] for node in products)
    for node in products:
        name = node.input[_WEIGHT]
        left[name] -= 1
        if left[name] or any(name in each.input for each in _nodes(model.graph) if each is not node):
            copy = model.graph.initializer.add()
            copy.CopyFrom(stored[name])
            copy.name = f"{name}/copy/{left[name]}"
            node.input[_WEIGHT] = copy.name
    return bytes(model.SerializeToString())


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Those of nested graphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
