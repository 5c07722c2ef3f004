"""Paddle's squeeze passes over a dim that turns out not to be 1; ONNX's fails there. paddle2onnx writes one as the
other, so each is settled here, now that the sizes of the inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import numpy_helper

from .inferring import inferred


def settle(model: Any, declared: Mapping[str, list[int]]) -> list[str]:
    """Drop the axes that are not 1. declared: output of a squeeze -> the shape (-1: free) that goes in, in Paddle.

    Returns the squeezes where a dim is free: it is taken to be larger than 1.
    """
    squeezes = [node for node in model.graph.node if node.op_type == "Squeeze" and node.output[0] in declared]
    if not squeezes:
        return []
    graph = inferred(model)
    values = (*graph.value_info, *graph.input)
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    free = []
    for node in squeezes:
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
