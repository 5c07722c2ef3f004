"""Products and convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .hlo import Value, Walker, handles, number, numbers, refuse, type_of
from .shaping import padded, spaced


@handles("stablehlo.dot_general")
def dot_general(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Each side becomes [batch, free, summed]: a product of matrices."""
    from jaxlib.mlir.dialects import stablehlo

    shape, dtype = type_of(operation.results[0])
    dims = stablehlo.DotDimensionNumbers(operation.attributes["dot_dimension_numbers"])
    left = _matrices(walker, operands[0], dims.lhs_batching_dimensions, dims.lhs_contracting_dimensions, False)
    right = _matrices(walker, operands[1], dims.rhs_batching_dimensions, dims.rhs_contracting_dimensions, True)
    if left.dtype != dtype:
        left, right = walker.cast(left, dtype), walker.cast(right, dtype)
    product = (*left.shape[:-1], right.shape[-1])
    return [walker.reshape(walker.node("MatMul", [left, right], product, dtype), shape)]


def _matrices(walker: Walker, value: Value, batch: Sequence[int], summed: Sequence[int], second: bool) -> Value:
    free = [axis for axis in range(len(value.shape)) if axis not in batch and axis not in summed]
    parts = (batch, summed, free) if second else (batch, free, summed)
    moved = walker.transpose(value, [axis for part in parts for axis in part])
    sizes = [math.prod(value.shape[axis] for axis in part) for part in parts]
    return walker.reshape(moved, sizes if batch else sizes[1:])


@handles("stablehlo.convolution")
def convolution(walker: Walker, operation: Any, operands: Sequence[Value]) -> list[Value]:
    """Any order of axes: the operands are brought to ONNX's, the result back."""
    from jaxlib.mlir.dialects import stablehlo

    shape, dtype = type_of(operation.results[0])
    dims = stablehlo.ConvDimensionNumbers(operation.attributes["dimension_numbers"])
    axes = len(dims.input_spatial_dimensions)
    if number(operation, "batch_group_count", 1) != 1:
        raise refuse(operation, "groups the batch")
    if any(_flags(operation, "window_reversal")):
        raise refuse(operation, "reverses its window")
    value = walker.transpose(
        operands[0], [dims.input_batch_dimension, dims.input_feature_dimension, *dims.input_spatial_dimensions]
    )
    kernel = walker.transpose(
        operands[1],
        [dims.kernel_output_feature_dimension, dims.kernel_input_feature_dimension, *dims.kernel_spatial_dimensions],
    )
    zero = walker.constant(np.zeros((), dtype))
    gaps = [each - 1 for each in numbers(operation, "lhs_dilation", [1] * axes)]
    value = spaced(walker, value, [0, 0, *gaps], zero)
    edges = numbers(operation, "padding", [0] * 2 * axes)
    low, high = edges[::2], edges[1::2]
    if any(each < 0 for each in edges):
        value = padded(walker, value, [0, 0, *low], [0, 0, *high], zero)
        low, high = [0] * axes, [0] * axes
    order = [dims.output_batch_dimension, dims.output_feature_dimension, *dims.output_spatial_dimensions]
    made = walker.node(
        "Conv",
        [value, kernel],
        [shape[axis] for axis in order],
        dtype,
        kernel_shape=list(kernel.shape[2:]),
        strides=numbers(operation, "window_strides", [1] * axes),
        pads=[*low, *high],
        dilations=numbers(operation, "rhs_dilation", [1] * axes),
        group=number(operation, "feature_group_count", 1),
    )
    return [walker.transpose(made, [order.index(axis) for axis in range(len(order))])]


def _flags(operation: Any, name: str) -> list[bool]:
    return [bool(each) for each in operation.attributes[name]] if name in operation.attributes else []
