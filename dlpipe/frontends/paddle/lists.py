"""Programs of Paddle 2 list the sizes of a shape as numbers of their own; paddle2onnx joins them with Concat, which
takes none of rank 0. They become lists of one here: no other reading of such a Concat is valid."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from .inferring import inferred

_ONE = "dlpipe.shape_of_a_list_of_one"


def flatten(model: Any) -> None:
    """Give each input of rank 0 that a Concat has the rank 1."""
    graph = model.graph
    if all(node.op_type != "Concat" for node in graph.node):
        return
    scalars = {value.name for value in inferred(model).value_info if _is_scalar(value)}
    scalars |= {tensor.name for tensor in graph.initializer if not tensor.dims}
    made: dict[str, Any] = {}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "Concat":
            for place, name in enumerate(node.input):
                if name not in scalars:
                    continue
                if name not in made:
                    made[name] = helper.make_node("Reshape", [name, _ONE], [f"{name}_list"], f"{name}_list")
                    nodes.append(made[name])
                node.input[place] = made[name].output[0]
        nodes.append(node)
    if made:
        graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), _ONE))
        del graph.node[:]
        graph.node.extend(nodes)


def _is_scalar(value: Any) -> bool:
    kind = value.type.tensor_type
    return kind.HasField("shape") and not kind.shape.dim
