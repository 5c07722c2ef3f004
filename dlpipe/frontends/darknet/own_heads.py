"""Boxes read off the maps of a detector, one after the other: part of the reference interpreter (own.py)."""

from __future__ import annotations

from typing import Any

import numpy as np


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _boxes(x: Any, sizes: Any, stretch: float, squared: bool, softmax: bool) -> Any:
    """One box after the other."""
    batch, _, rows, columns = x.shape
    each = x.shape[1] // len(sizes)
    x = x.reshape(batch, len(sizes), each, rows, columns)
    made = np.zeros([batch, rows, columns, len(sizes), each])
    for row in range(rows):
        for column in range(columns):
            for anchor, (wide, high) in enumerate(sizes):
                t = x[:, anchor, :, row, column].T
                on = t if squared else sigmoid(t)
                kinds = on[5:]
                if softmax:
                    kinds = np.exp(t[5:] - t[5:].max(0)) / np.exp(t[5:] - t[5:].max(0)).sum(0)
                scaled = (2 * t[2:4]) ** 2 if squared else np.exp(t[2:4])
                made[:, row, column, anchor] = np.stack(
                    [
                        (column + on[0] * stretch - (stretch - 1) / 2) / columns,
                        (row + on[1] * stretch - (stretch - 1) / 2) / rows,
                        scaled[0] * wide,
                        scaled[1] * high,
                        on[4],
                        *(kinds * on[4]),
                    ],
                    -1,
                )
    return made.reshape(batch, -1, each)


def yolo(c: Any, x: Any) -> Any:
    s = c.section
    anchors = np.array(s.numbers("anchors", whole=False)).reshape(-1, 2) / [c.shape[3], c.shape[2]]
    mask = [int(each) for each in s.numbers("mask")] or list(range(s.integer("num", 1)))
    return _boxes(x, anchors[mask], s.real("scale_x_y", 1.0), bool(s.integer("new_coords")), False)


def region(c: Any, x: Any) -> Any:
    sizes = np.array(c.section.numbers("anchors", whole=False)).reshape(-1, 2) / [x.shape[3], x.shape[2]]
    return _boxes(x, sizes, 1.0, False, bool(c.section.integer("softmax")))
