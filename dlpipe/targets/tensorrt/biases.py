"""Biases in float, where a quantised model has them as 32-bit integers with a scale, which TensorRT does not take."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


def in_float(path: Path) -> bytes | None:
    """The model with such biases multiplied out, which changes no value; None where it has none, or where its weights
    lie in a file beside it."""
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        return None
    kept, made = [], []
    for node in graph.node:
        value = constants.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if value is None or value.data_type != onnx.TensorProto.INT32 or node.input[1] not in constants:
            kept.append(node)
            continue
        whole = numpy_helper.to_array(value).astype(np.float64)
        scale = numpy_helper.to_array(constants[node.input[1]])
        made.append(
            numpy_helper.from_array((whole * _spread(scale, whole.ndim, node)).astype(scale.dtype), node.output[0])
        )
    if not made:
        return None
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(made)
    return bytes(model.SerializeToString(deterministic=True))


def _spread(scale: Any, rank: int, node: onnx.NodeProto) -> Any:
    """One scale for all, or one for each slice of an axis."""
    if scale.ndim == 0 or scale.size == 1:
        return scale.reshape(())
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1) % rank
    return scale.reshape([-1 if each == axis else 1 for each in range(rank)])
