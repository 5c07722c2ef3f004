"""Detection: mean average precision as COCO defines it (pycocotools). Worker side, in the toolchain `metrics`.

Matching answers to labels is pycocotools' work, done once. What follows, precision over recall, is done here for any
weighting of the pictures: a picture that is drawn twice counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .detections import Found, detections
from .scored import Floats, Scored, Weighed
from .truth import Answers, Truth

_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST = 100  # answers for a picture
_RESAMPLES = 200
_JACKKNIFE = 300


@dataclass(frozen=True)
class _Class:
    """All answers of one class, the surest first: in which picture, whether they match [thresholds, answers]; and how
    many labels each picture has."""

    picture: NDArray[np.intp]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    labels: Floats


def mean_average_precision(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Over thresholds of the overlap from 0.5 to 0.95 (`iou`: one of them) and the classes that the labels have."""
    wanted, found = truth.boxes(), detections(answers, truth, settings)
    judged = _match(wanted, found, settings.get("iou"))
    if not judged:
        raise Refused("the labels hold no boxes that count")

    def of(weights: Floats) -> Floats:
        return np.array([_mean([_precision(each, row) for each in judged]) for row in weights])

    return Weighed(len(wanted), of, jackknife=_JACKKNIFE, resamples=_RESAMPLES)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _precision(judged: _Class, weights: Floats) -> float:
    """The mean over thresholds and recalls. NaN where the weights leave no label of the class."""
    total = float((weights * judged.labels).sum())
    if total == 0:
        return float("nan")
    each = weights[judged.picture]
    right, wrong = np.cumsum(judged.right * each, axis=1), np.cumsum(judged.wrong * each, axis=1)
    both = right + wrong
    precision = np.where(both > 0, right / np.where(both > 0, both, 1), 0.0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = right / total
    means = []
    for row, reached in zip(precision, recall, strict=True):
        places = np.searchsorted(reached, _RECALLS, side="left")
        means.append(np.append(row, 0.0)[places].mean())
    return float(np.mean(means))


def _match(wanted: list[list[list[float]]], found: list[Found], overlap: float | None) -> list[_Class]:
    boxes = [(picture, box) for picture, each in enumerate(wanted) for box in each]
    classes = sorted({int(box[4]) for _, box in boxes})
    truth = COCO()
    truth.dataset = {
        "images": [{"id": picture} for picture in range(len(wanted))],
        "categories": [{"id": each} for each in classes],
        "annotations": [_annotation(number + 1, picture, box) for number, (picture, box) in enumerate(boxes)],
    }
    truth.createIndex()
    said = COCO()
    said.dataset = {**truth.dataset, "annotations": []}
    for picture, each in enumerate(found):
        for box, score, class_ in zip(each.boxes.tolist(), each.scores.tolist(), each.classes.tolist(), strict=True):
            if int(class_) in classes:
                number = len(said.dataset["annotations"]) + 1
                said.dataset["annotations"].append(_annotation(number, picture, [*box, class_, 0]) | {"score": score})
    said.createIndex()
    judge = COCOeval(truth, said, "bbox")
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
    judge.params.maxDets = [_MOST]
    if overlap is not None:
        judge.params.iouThrs = np.array([overlap])
    judge.evaluate()
    pictures = len(judge.params.imgIds)
    parts = [judge.evalImgs[place * pictures : (place + 1) * pictures] for place in range(len(judge.params.catIds))]
    return [_gathered(each, len(wanted)) for each in parts]


def _gathered(parts: Sequence[Any], pictures: int) -> _Class:
    """What pycocotools found of one class, per picture (None: neither label nor answer)."""
    known = [each for each in parts if each is not None]
    labels = np.zeros(pictures)
    for each in known:
        labels[each["image_id"]] = int((np.asarray(each["gtIgnore"]) == 0).sum())
    scores = np.concatenate([np.asarray(each["dtScores"], np.float64) for each in known])
    order = np.argsort(-scores, kind="mergesort")
    picture = np.concatenate([np.full(len(each["dtScores"]), each["image_id"]) for each in known])[order]
    matched = np.concatenate([each["dtMatches"] for each in known], axis=1)[:, order] > 0
    ignored = np.concatenate([each["dtIgnore"] for each in known], axis=1)[:, order] > 0
    return _Class(picture.astype(np.intp), matched & ~ignored, ~matched & ~ignored, labels)


def _annotation(number: int, picture: int, box: Sequence[float]) -> dict[str, Any]:
    left, top, right, bottom, class_, *crowd = box
    width, height = max(0.0, right - left), max(0.0, bottom - top)
    return {
        "id": number, "image_id": picture, "category_id": int(class_), "bbox": [left, top, width, height],
        "area": width * height, "iscrowd": int(bool(crowd and crowd[0])),
    }  # fmt: skip
