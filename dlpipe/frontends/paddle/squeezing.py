"""Paddle's squeeze passes over a dim that turns out not to be 1; ONNX's fails there. paddle2onnx writes one as the
other, so each is settled here, now that the sizes of the inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


def settle(model: Any, declared: Mapping[str, list[int]]) -> list[str]:
    """Drop the axes that are not 1. declared: output of a squeeze -> the shape (-1: free) that goes in, in Paddle.

    Returns the squeezes where a dim is free: it is taken to be larger than 1.
    """
    inferred = onnx.shape_inference.infer_shapes(without_outputs(model), data_prop=True)
    values = (*inferred.graph.value_info, *inferred.graph.input)
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    free = []
    for node in model.graph.node:
        if node.op_type != "Squeeze" or node.output[0] not in declared:
            continue
        said, axes = declared[node.output[0]], _axes(node, constants)
        if not said or not axes or not all(-len(said) <= axis < len(said) for axis in axes):
            continue
        known = shapes.get(node.input[0]) or [0] * len(said)
        sizes = [size if size > 0 else more for size, more in zip(said, known, strict=True)]
        kept = [axis for axis in axes if sizes[axis] == 1]
        if any(sizes[axis] == 0 for axis in axes):
            free.append(node.name)
        if len(kept) < len(axes):
            _keep(model, node, kept)
    return free


def _axes(node: Any, constants: Mapping[str, Any]) -> list[int]:
    if len(node.input) < 2 or node.input[1] not in constants:
        return []
    return [int(axis) for axis in numpy_helper.to_array(constants[node.input[1]]).ravel()]


def _keep(model: Any, node: Any, axes: list[int]) -> None:
    if not axes:
        node.op_type = "Identity"
        del node.input[1:]
        return
    name = f"{node.output[0]}_axes"
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(axes, np.int64), name))
    node.input[1] = name


def without_outputs(model: Any) -> Any:
    """What it claims of its results may rest on what is changed here."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for value in bare.graph.output:
        value.type.tensor_type.ClearField("shape")
    return bare
