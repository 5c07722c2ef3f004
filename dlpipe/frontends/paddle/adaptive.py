"""Adaptive poolings, written out: result i is that of the rows floor(i H / h) to ceil((i + 1) H / h).

The windows are of one size where h divides H; else a mean is a product with a matrix for each axis, a maximum that of
slices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from onnx import helper, numpy_helper

from .inferring import inferred


@dataclass(frozen=True)
class Adaptive:
    """`mean`: or the maximum. `size`: height and width of the result."""

    mean: bool
    size: tuple[int, int]


def settle(model: Any, pools: Mapping[str, Adaptive]) -> None:
    """pools: name of the node -> what it stands for. Raises Refused where the size of the image is free."""
    for name, pool in pools.items():  # one by one, since one may tell the size that another gets
        node = next(each for each in model.graph.node if each.name == name)
        sizes = _sizes(model, node)
        if len(sizes) != 4 or not all(sizes[2:]):
            wanted = f"{pool.size[0]} x {pool.size[1]}"
            raise Refused(
                f"an adaptive pooling to {wanted} depends on the size of the image, which is free",
                kind="unsupported",
                hint="fix it: --shape H=512 --shape W=512 (the size of yours)",
                node=name,
                op="adaptive pooling",
            )
        _write_out(model.graph, node, pool, sizes[2:])


def _sizes(model: Any, node: Any) -> list[int]:
    graph = inferred(model)
    for value in (*graph.value_info, *graph.input):
        if value.name == node.input[0]:
            return [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return []


def _write_out(graph: Any, node: Any, pool: Adaptive, image: list[int]) -> None:
    windows = [size // wanted for size, wanted in zip(image, pool.size, strict=True)]
    if all(size % wanted == 0 for size, wanted in zip(image, pool.size, strict=True)):
        kind = "AveragePool" if pool.mean else "MaxPool"
        kept = helper.make_node(kind, node.input, node.output, node.name, kernel_shape=windows, strides=windows)
        node.CopyFrom(kept)
        return
    place = list(graph.node).index(node)
    made: list[Any] = []

    def add(op: str, *inputs: str, **attributes: Any) -> str:
        value = f"{node.name}.{op}.{len(made)}"
        made.append(helper.make_node(op, inputs, [value], value, **attributes))
        return value

    def constant(array: Any) -> str:
        value = f"{node.name}.constant.{len(graph.initializer)}"
        graph.initializer.append(numpy_helper.from_array(array, value))
        return value

    (_means if pool.mean else _maxima)(node.input[0], pool.size, image, add, constant)
    made[-1].output[0] = node.output[0]
    del graph.node[place]
    for offset, each in enumerate(made):
        graph.node.insert(place + offset, each)


Add = Callable[..., str]
Constant = Callable[[Any], str]


def _means(data: str, size: tuple[int, int], image: list[int], add: Add, constant: Constant) -> None:
    rows, columns = (np.zeros((wanted, given), np.float32) for wanted, given in zip(size, image, strict=True))
    for matrix in (rows, columns):
        for at, (begin, end) in enumerate(_bounds(*matrix.shape)):
            matrix[at, begin:end] = 1 / (end - begin)
    add("MatMul", add("MatMul", constant(rows), data), constant(np.ascontiguousarray(columns.T)))


def _maxima(data: str, size: tuple[int, int], image: list[int], add: Add, constant: Constant) -> None:
    for axis, (wanted, given) in enumerate(zip(size, image, strict=True), start=2):
        parts = []
        for begin, end in _bounds(wanted, given):
            bounds = [constant(np.asarray([each], np.int64)) for each in (begin, end, axis)]
            parts.append(add("ReduceMax", add("Slice", data, *bounds), bounds[2], keepdims=1))
        data = add("Concat", *parts, axis=axis)


def _bounds(wanted: int, given: int) -> list[tuple[int, int]]:
    return [(at * given // wanted, -(-(at + 1) * given // wanted)) for at in range(wanted)]
