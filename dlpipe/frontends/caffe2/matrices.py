"""Fully connected layers, matrix products, and the softmax that Caffe2 takes over flattened dims."""

from __future__ import annotations

import math

import numpy as np

from .converter import Converter
from .nets import Operator
from .table import converts


@converts("FC", "FCTransposed")
def _fc(converter: Converter, op: Operator) -> None:
    op.args.ignore("use_bias")
    connect(converter, op, converter.value(op, 0), converter.value(op, 1), converter.value(op, 2), op.type == "FC")


def connect(converter: Converter, op: Operator, x: str, weight: str, bias: str, transposed: bool = True) -> None:
    """Y = X W' + b, X flattened at `axis` and W at `axis_w`; the dims before `axis` are kept. Writes the output."""
    axis = converter.axis(op, x, op.args.integer("axis", 1))
    weight = _matrix(converter, op, weight, op.args.integer("axis_w", 1), transposed)
    rank = converter.rank(x)
    columns = converter.shape(weight)
    if columns is not None and isinstance(columns[int(transposed)], int):
        converter.check_size(op, x, int(columns[int(transposed)] or 0), axis)
    if axis == 1:
        if rank > 2:
            x = converter.emit(op, "Flatten", [x], axis=1)
        converter.finish(op, "Gemm", [x, weight, bias], transB=int(transposed))
        return
    if axis == 0:
        raise converter.unsupported(op, "a fully connected layer over all dims of its input")
    if axis < rank - 1:
        x = converter.emit(op, "Reshape", [x, converter.constant(op, [0] * axis + [-1], np.int64)])
    if transposed:
        weight = converter.emit(op, "Transpose", [weight], perm=[1, 0])
    converter.finish(op, "Add", [converter.emit(op, "MatMul", [x, weight]), bias])


def _matrix(converter: Converter, op: Operator, weight: str, axis: int, transposed: bool) -> str:
    """The weights, flattened to a matrix [M, K] (or [K, M])."""
    shape = converter.shape(weight)
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        raise converter.unsupported(op, "weights that are not constants")
    if len(shape) == 2:
        return weight
    axis = converter.axis(op, weight, axis)
    if not transposed and axis != 1:
        raise converter.unsupported(op, f"transposed weights with axis_w = {axis}")
    rows = math.prod(int(dim) for dim in shape[:axis] if dim is not None)
    return converter.emit(op, "Reshape", [weight, converter.constant(op, [rows, -1], np.int64)])


@converts("MatMul")
def _matmul(converter: Converter, op: Operator) -> None:
    sides = []
    for index, letter in enumerate("ab"):
        value = converter.value(op, index)
        axis = op.args.integer(f"axis_{letter}", 1)
        if converter.rank(value) != 2:
            value = converter.emit(op, "Flatten", [value], axis=converter.axis(op, value, axis))
        if op.args.integer(f"trans_{letter}"):
            value = converter.emit(op, "Transpose", [value], perm=[1, 0])
        sides.append(value)
    converter.finish(op, "MatMul", sides)


@converts("BatchMatMul")
def _batch_matmul(converter: Converter, op: Operator) -> None:
    op.args.ignore("broadcast", "use_scratch")
    sides = []
    for index, letter in enumerate("ab"):
        value = converter.value(op, index)
        if op.args.integer(f"trans_{letter}"):
            rank = converter.rank(value)
            if rank < 2:
                raise converter.unsupported(op, "the transpose of a vector")
            value = converter.emit(op, "Transpose", [value], perm=[*range(rank - 2), rank - 1, rank - 2])
        sides.append(value)
    converter.finish(op, "MatMul", sides)


@converts("Softmax")
def _softmax(converter: Converter, op: Operator) -> None:
    softmax(converter, op, converter.value(op, 0))


def softmax(converter: Converter, op: Operator, x: str) -> None:
    """Over all dims from `axis` on. Writes the output."""
    shape = converter.shape(x)
    axis = converter.axis(op, x, op.args.integer("axis", 1))
    if shape is not None and all(dim == 1 for dim in shape[axis + 1 :]):
        converter.finish(op, "Softmax", [x], axis=axis)
        return
    flat = converter.emit(op, "Flatten", [x], axis=axis)
    made = converter.emit(op, "Softmax", [flat], axis=-1)
    converter.finish(op, "Reshape", [made, converter.emit(op, "Shape", [x])])
