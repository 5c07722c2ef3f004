"""ONNX's shape inference, of what paddle2onnx made."""

from __future__ import annotations

from math import prod
from typing import Any

import onnx
from onnx import helper

_SMALL = 1024  # numbers: what says a shape has fewer, and weights would only be copied


def inferred(model: Any) -> Any:
    """A graph with the shapes of all values. What the model claims of its results is left out, as it may rest on what
    is changed here; large weights are inputs of it."""
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    given, graph = model.graph, bare.graph
    graph.name = given.name
    graph.node.extend(given.node)
    graph.input.extend(given.input)
    for tensor in given.initializer:
        if prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    graph.output.extend(given.output)
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
