"""From a detector's outputs to boxes with a class and a score, in pixels of its input. Worker side.

Read are: one output of rows [left, top, right, bottom, score, class]; boxes [n, 4] with scores [n] and classes [n], as
torchvision and TFLite_Detection_PostProcess give them; boxes [n, 4] with scores [n, classes]; and one output of rows
[middle x, middle y, width, height, (objectness,) scores ...] or its transpose, as YOLO's nets give them. The latter
two answer with many boxes for one thing, of which the surest stays (non-maximum suppression).

Settings: boxes=xyxy, yxyx, xywh or cxcywh says what four numbers of a box are; unit=1 that they are shares of the
input's size (found out where it is left out); nms=0.5 is the overlap above which boxes are one thing; score=0.001 the
least score; background=1 that class 0 of the scores is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .scored import Floats
from .truth import Answers, Truth, output_names

FORMS = ("xyxy", "yxyx", "xywh", "cxcywh")
_KEPT = 300  # for a picture, before COCO keeps its 100
_CANDIDATES = 3000


@dataclass(frozen=True)
class Found:
    """Of one picture: boxes [n, 4] as left, top, right, bottom; scores [n]; classes [n]."""

    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]


def detections(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> list[Found]:
    """Per picture. Raises Refused for outputs of another form."""
    form = settings.get("boxes")
    if form is not None and form not in FORMS:
        raise Refused(f"boxes={form} is none", hint=f"it is one of {', '.join(FORMS)}")
    shapes = {name: tuple(dim for dim in shape if dim != 1) for name, shape in output_names(answers.file).items()}
    boxes = [name for name, shape in shapes.items() if len(shape) == 2 and shape[1] == 4]
    if len(boxes) == 1 and len(shapes) > 1:
        default, each = "xyxy", _several(answers, boxes[0], shapes, settings)
    elif len(shapes) == 1:
        default, each = _one(answers, next(iter(shapes.values())), settings)
    else:
        raise _unknown(shapes)
    least = settings.get("score", 0.001)
    kept = [(box[score >= least], score[score >= least], class_[score >= least]) for box, score, class_ in each]
    return _in_pixels(kept, form or default, truth, settings)


Raw = tuple[Floats, Floats, NDArray[np.int64]]


def _several(
    answers: Answers, boxes: str, shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, Any]
) -> list[Raw]:
    count = shapes[boxes][0]
    box = answers.other(boxes).numbers().reshape(len(answers.rows), count, 4)
    wide = [name for name, shape in shapes.items() if name != boxes and len(shape) == 2 and shape[0] == count]
    if wide:
        scores = answers.other(wide[0]).numbers().reshape(len(answers.rows), count, -1)
        return [_suppressed(*each, settings.get("boxes") or "xyxy", settings) for each in zip(box, scores, strict=True)]
    flat = {
        name: answers.other(name).numbers().reshape(len(answers.rows), count)
        for name, shape in shapes.items()
        if name != boxes and shape == (count,)
    }
    classes = [name for name, values in flat.items() if _looks_like_classes(name, values)]
    scores_of = [name for name in flat if name not in classes]
    if len(classes) != 1 or len(scores_of) != 1:
        raise _unknown(shapes)
    told = zip(box, flat[scores_of[0]], flat[classes[0]].astype(np.int64), strict=True)
    return [(one, score, class_) for one, score, class_ in told]


def _looks_like_classes(name: str, values: Floats) -> bool:
    if any(word in name.lower() for word in ("score", "conf", "prob")):
        return False
    return bool((values == np.rint(values)).all()) or any(word in name.lower() for word in ("class", "label"))


def _one(answers: Answers, shape: tuple[int, ...], settings: Mapping[str, Any]) -> tuple[str, list[Raw]]:
    if len(shape) != 2:
        raise _unknown({answers.name: shape})
    table = answers.numbers().reshape(len(answers.rows), *shape)
    if shape[1] == 6:
        return "xyxy", [(row[:, :4], row[:, 4], row[:, 5].astype(np.int64)) for row in table]
    if shape[0] < shape[1]:  # [4 + classes, n]: the middle, the size, and the scores
        rows = table.swapaxes(1, 2)
        scores = rows[..., 4:]
    else:  # [n, 5 + classes]: with how sure it is that there is anything
        rows = table
        scores = rows[..., 5:] * rows[..., 4:5] if shape[1] > 5 else rows[..., 4:5]
    form = settings.get("boxes") or "cxcywh"
    return "cxcywh", [_suppressed(row[:, :4], each, form, settings) for row, each in zip(rows, scores, strict=True)]


def _suppressed(boxes: Floats, scores: Floats, form: str, settings: Mapping[str, Any]) -> Raw:
    """The surest of those that overlap, by class."""
    first = 1 if settings.get("background") else 0
    scores = scores[:, first:]
    flat = np.argsort(-scores, axis=None, kind="stable")[:_CANDIDATES]
    place, class_ = np.unravel_index(flat, scores.shape)
    sure = scores[place, class_]
    keep = sure >= settings.get("score", 0.001)
    place, class_, sure = place[keep], class_[keep], sure[keep]
    corners = _corners(boxes[place], form)
    chosen: list[int] = []
    alive = np.ones(len(place), np.bool_)
    for index in range(len(place)):
        if not alive[index]:
            continue
        chosen.append(index)
        if len(chosen) == _KEPT:
            break
        rest = np.flatnonzero(alive & (class_ == class_[index]))
        rest = rest[rest > index]
        alive[rest[_overlaps(corners[index], corners[rest]) > settings.get("nms", 0.5)]] = False
    return boxes[place[chosen]], sure[chosen], (class_[chosen] + first).astype(np.int64)


def _overlaps(one: Floats, others: Floats) -> Floats:
    """Intersection over union of corners."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(axis=1)
    whole = max(0.0, one[2] - one[0]) * max(0.0, one[3] - one[1]) + areas - shared
    return np.asarray(np.where(whole > 0, shared / np.where(whole > 0, whole, 1), 0.0))


def _corners(boxes: Floats, form: str) -> Floats:
    if form == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    if form == "xywh":
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    if form == "cxcywh":
        return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return boxes


def _in_pixels(each: list[Raw], form: str, truth: Truth, settings: Mapping[str, Any]) -> list[Found]:
    every = np.concatenate([boxes for boxes, _, _ in each])
    unit = settings.get("unit")
    if unit is None:
        unit = len(every) > 0 and np.abs(every).max() <= 2
    scale: Any = 1.0
    if unit:
        if truth.input_size is None:
            raise Refused("the boxes are shares of the input's size, which the data does not tell", hint="unit=0")
        height, width = truth.input_size
        scale = np.array([width, height, width, height], np.float64)
    return [Found(_corners(boxes, form) * scale, scores, classes) for boxes, scores, classes in each]


def _unknown(shapes: Mapping[str, tuple[int, ...]]) -> Refused:
    shown = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    return Refused(f"boxes cannot be read of the outputs {shown}", hint="see docs/metrics.md for what is read")
