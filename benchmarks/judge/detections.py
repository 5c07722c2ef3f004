"""Boxes of a face detector with two outputs: scores [1, N, 2] and corners [1, N, 4], both relative to the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

SCORE = 0.7  # the thresholds of UltraFace's own demonstration
SUPPRESS = 0.3
SAME = 0.5


def decode(scores: Any, boxes: Any) -> Any:
    """The corners of what is found, the surest first, each once (non-maximum suppression)."""
    sure = scores.reshape(-1, 2)[:, 1]
    order = np.argsort(-sure, kind="stable")
    boxes = boxes.reshape(-1, 4)[order[sure[order] > SCORE]]
    kept: list[Any] = []
    for box in boxes:
        if not kept or overlap(box, np.array(kept)).max() <= SUPPRESS:
            kept.append(box)
    return np.array(kept).reshape(-1, 4)


def matched(expected: Any, found: Any) -> int:
    """How many boxes of one find a box of the other of their own, the surest first, with an IoU of 0.5 or more."""
    free = list(range(len(expected)))
    count = 0
    for box in found:
        values = overlap(box, expected[free]) if free else np.zeros(0)
        if len(values) and values.max() >= SAME:
            free.pop(int(values.argmax()))
            count += 1
    return count


def overlap(box: Any, others: Any) -> Any:
    """Intersection over union."""
    corner = np.maximum(box[:2], others[:, :2])
    sides = np.clip(np.minimum(box[2:], others[:, 2:]) - corner, 0, None)
    both = sides.prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).clip(0).prod(axis=1) + (box[2:] - box[:2]).clip(0).prod()
    return both / np.maximum(areas - both, 1e-12)
