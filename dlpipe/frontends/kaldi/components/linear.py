"""Components that are a matrix: affine, by blocks, convolution over time and height, permutation."""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ...kit.emit import Graph
from ..reading import Component
from .function import Function, expect, times


def affine(component: Component, in_dim: int) -> Function:
    weights = component.matrix("Params" if component.kind == "LinearComponent" else "LinearParams")
    bias = component.vector("BiasParams") if component.has("BiasParams") else np.zeros(0, np.float32)
    offsets = times(component)
    expect(component, in_dim * len(offsets), weights.shape[1])
    if bias.size not in (0, len(weights)):
        raise Refused(f"{component.name} has {len(weights)} rows and {bias.size} biases", node=component.name)
    bias = bias if bias.size else np.zeros(len(weights), np.float32)
    return linear(weights, bias, offsets)


def linear(weights: Any, bias: Any, offsets: tuple[int, ...] = (0,)) -> Function:
    """y = W x + b. weights: [out_dim, in_dim]."""

    def emit(graph: Graph, x: str, name: str) -> str:
        inputs = [x, graph.constant(weights, f"{name}/W"), graph.constant(bias, f"{name}/b")]
        return graph.node("Gemm", inputs, name, name=name, transB=1)

    wide, wide_bias = weights.astype(np.float64), bias.astype(np.float64)
    return Function(len(weights), emit, lambda x: wide @ x + wide_bias, offsets)


def sum_group(component: Component, in_dim: int) -> Function:
    sizes = component.integers("Sizes")
    expect(component, in_dim, sum(sizes))
    weights = np.zeros((len(sizes), in_dim), np.float32)
    for row, end in enumerate(np.cumsum(sizes)):
        weights[row, end - sizes[row] : end] = 1
    return linear(weights, np.zeros(len(sizes), np.float32))


def permute(component: Component, in_dim: int) -> Function:
    order = np.array(component.integers("ColumnMap"), np.int64)
    if sorted(order.tolist()) != list(range(in_dim)):
        raise Refused(f"{component.name} permutes {len(order)} values and gets {in_dim}", node=component.name)

    def emit(graph: Graph, x: str, name: str) -> str:
        return graph.node("Gather", [x, graph.constant(order, f"{name}/map")], name, name=name, axis=1)

    return Function(in_dim, emit, lambda x: x[order])


def blocks(component: Component, in_dim: int) -> Function:
    """BlockAffine: a matrix of its own for every block. RepeatedAffine: the same one for every block."""
    weights, bias = component.matrix("LinearParams"), component.vector("BiasParams")
    own = component.kind == "BlockAffineComponent"
    count = component.integer("NumBlocks" if own else "NumRepeats")
    expect(component, in_dim, weights.shape[1] * count)
    rows = len(weights) // count if own else len(weights)
    dense = np.zeros((rows * count, in_dim), np.float32)
    for index in range(count):
        part = weights[index * rows : (index + 1) * rows] if own else weights
        dense[index * rows : (index + 1) * rows, index * weights.shape[1] : (index + 1) * weights.shape[1]] = part
    return linear(dense, bias if own else np.tile(bias, count))


def time_height(component: Component, in_dim: int) -> Function:
    """Convolution over time and height; a frame is [height, filters]. As a matrix over the frames that it reads."""
    filters_in, filters_out, height_in, height_out, step = (
        component.integer(token)
        for token in ("NumFiltersIn", "NumFiltersOut", "HeightIn", "HeightOut", "HeightSubsampleOut")
    )
    offsets, weights = component.pairs("Offsets"), component.matrix("LinearParams")
    frames = times(component)
    if component.has("RequiredTimeOffsets") and set(frames) - set(component.integers("RequiredTimeOffsets")):
        raise Refused(
            f"{component.name} takes zeros for frames before and behind the utterance",
            kind="unsupported",
            node=component.name,
            op=component.kind,
        )
    expect(component, in_dim, height_in * filters_in)
    if weights.shape != (filters_out, len(offsets) * filters_in):
        raise Refused(f"{component.name}: its parameters are {list(weights.shape)}", node=component.name)
    if height_out * filters_out * in_dim * len(frames) > 1 << 28:
        raise Refused(f"{component.name} would be too large a matrix", kind="unsupported", node=component.name)
    dense = np.zeros((height_out, filters_out, len(frames), height_in, filters_in), np.float32)
    for index, (time, height) in enumerate(offsets):
        part = weights[:, index * filters_in : (index + 1) * filters_in]
        for out in range(height_out):
            read = out * step + height
            if 0 <= read < height_in:
                dense[out, :, frames.index(time), read, :] = part
    matrix = dense.reshape(height_out * filters_out, len(frames) * in_dim)
    return linear(matrix, np.tile(component.vector("BiasParams"), height_out), frames)


def constant(component: Component, _in_dim: int) -> Function:
    values = component.vector("Output")

    def emit(graph: Graph, x: str, name: str) -> str:
        zero = graph.node(
            "Mul",
            [graph.node("Slice", [x, *_first_column(graph, name)]), graph.constant(np.float32(0), f"{name}/zero")],
        )
        return graph.node("Add", [zero, graph.constant(values, f"{name}/values")], name, name=name)

    return Function(len(values), emit, lambda _x: values.astype(np.float64))


def _first_column(graph: Graph, name: str) -> list[str]:
    return [graph.constant(np.array([each], np.int64), f"{name}/slice") for each in (0, 1, 1)]
