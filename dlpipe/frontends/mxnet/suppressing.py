"""Rows of boxes, sorted, and those found that overlap a better one."""

from __future__ import annotations

import numpy as np

from .net import Net


def ranked(net: Net, rows: str, key: str) -> str:
    """rows (N, boxes, columns), in the falling order of key (N, boxes)."""
    count = net.size(rows, 1)
    order = net.add_many("TopK", 2, key, net.ints(count), axis=1, largest=1, sorted=1)[1]
    return select(net, rows, order)


def select(net: Net, rows: str, order: str) -> str:
    """rows (N, boxes, columns), places (N, chosen) -> (N, chosen, columns)."""
    made = net.add("GatherND", rows, net.unsqueeze(order, 2), batch_dims=1)
    return net.know(made, [net.shape(rows)[0], net.shape(order)[1], net.shape(rows)[2]])


def corners(net: Net, boxes: str) -> str:
    """(..., x, y, width, height), the middle, -> (..., left, top, right, bottom)."""
    axis = net.rank(boxes) - 1
    middle, size = net.slice(boxes, axis, 0, 2), net.slice(boxes, axis, 2, 4)
    half = net.add("Mul", size, net.like(0.5, size))
    return net.add("Concat", net.add("Sub", middle, half), net.add("Add", middle, half), axis=axis)


def kept_boxes(
    net: Net,
    rows: str,
    label_at: int | None,
    first: int,
    overlap: float,
    valid: str | None = None,
    centred: bool = False,
) -> str:
    """rows (N, boxes, columns) in falling order of score -> bool (N, boxes): no better box of its class overlaps it.

    The matrix of all overlaps would be quadratic; ONNX's NonMaxSuppression is not. It knows boxes of one class, so
    boxes of different classes are moved apart, each class into a square of its own.
    """
    count = net.size(rows, 1)
    boxes = net.slice(rows, 2, first, first + 4)
    boxes = corners(net, boxes) if centred else boxes
    if valid is None:
        label = net.squeeze(net.slice(rows, 2, 0, 1), 2)
        valid = net.cast(net.add("GreaterOrEqual", label, net.like(0.0, label)), np.float32)
    if label_at is not None:
        label = net.slice(rows, 2, label_at, label_at + 1)
        reach = net.add("ReduceMax", net.add("Abs", boxes), keepdims=1)
        apart = net.add("Mul", label, net.add("Add", net.add("Mul", reach, net.like(4.0, reach)), net.like(1.0, reach)))
        boxes = net.add("Add", boxes, apart)
    # The order is settled: places stand in for scores, so that equal scores cannot be decided otherwise.
    places = net.constant(np.arange(count, 0, -1, dtype=np.float32))
    key = net.add("Sub", net.add("Mul", valid, places), net.like(0.5, valid))
    found = net.add(
        "NonMaxSuppression",
        boxes,
        net.unsqueeze(key, 1),
        net.constant(np.asarray([count], np.int64)),
        net.constant(np.asarray([overlap], np.float32)),
        net.constant(np.asarray([0.0], np.float32)),
    )
    index = net.add("Gather", found, net.ints(0, 2), axis=1)  # (chosen, [image, box])
    none = net.add("Mul", valid, net.like(0.0, valid))
    ones = net.add("Expand", net.like(1.0, valid), net.slice(net.add("Shape", index), 0, 0, 1))
    return net.cast(net.add("ScatterND", none, index, ones), np.bool_)
