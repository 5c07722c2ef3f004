"""Classification: top-k, F1, the area under the ROC curve.

Sources: C. J. van Rijsbergen, "Information Retrieval", 1979 (F); J. A. Hanley and B. J. McNeil, "The meaning and use
of the area under a ROC curve", Radiology 1982 (the area is the chance that a positive ranks above a negative, ties
half); how averages over classes are taken: scikit-learn's f1_score and roc_auc_score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .scored import RESAMPLES, Floats, Scored, Sums, Weighed, share_of
from .truth import Answers, Truth

_NONE = -1  # the class of a sample whose scores are no numbers
_FEW_CLASSES = 50  # of more, areas are ranked anew too often: fewer replicates must do
_RESAMPLES, _JACKKNIFE = 200, 3000


def top_k(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Whether the right class is among the k highest. A NaN among the scores is wrong; of equal scores the class with
    the lower index counts as the higher."""
    k, classes = settings["k"], truth.classes()
    count = _class_count(answers, classes)
    if k > 1 and (count is None or k >= count):
        raise Refused(f"{answers.name} has {count or 'no'} scores per sample: nothing to choose {k} of")
    right = np.zeros(len(classes), np.bool_)
    for places, chunk in answers.chunks():
        wanted = classes[places]
        if count is None:
            right[places] = chunk.reshape(len(chunk)) == wanted
            continue
        scores = chunk.reshape(len(chunk), -1)
        mine = scores[np.arange(len(scores)), wanted][:, None]
        earlier = np.arange(count) < wanted[:, None]
        above = ((scores > mine) | ((scores == mine) & earlier)).sum(axis=1)
        right[places] = (above < k) & np.isfinite(scores).all(axis=1)
    return share_of(right)


def _class_count(answers: Answers, classes: NDArray[np.int64]) -> int | None:
    """How many scores a sample has; None where its one integer is the class itself."""
    name, dims = answers.name, [dim for dim in answers.shape if dim != 1]
    if len(dims) > 1 or (not dims and answers.dtype.kind == "f"):
        shown = [len(answers.rows), *answers.shape]
        raise Refused(f"{name} has the shape {shown}: not one score per class for each sample")
    highest = int(classes.max(initial=0))
    if dims and highest >= dims[0]:
        raise Refused(
            f"the labels go up to {highest}, and {name} has {dims[0]} classes, which count from 0",
            hint="are these the model's labels? --labels FILE names its classes in the order of the output",
        )
    return dims[0] if dims else None


def f1(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Labels are a class each, or arrays of 0 and 1 per class (multi-label), whose scores are positive from `threshold`
    on: 0.5 of probabilities, 0 of anything else."""
    told, wanted = _decisions(answers, truth, settings)
    hit, extra, missed = told & wanted, told & ~wanted, ~told & wanted
    average = settings["average"]
    if average == "binary":
        positive = settings.get("positive", 1)
        if positive >= told.shape[1]:
            raise Refused(f"positive={positive}, and {answers.name} has {told.shape[1]} classes, which count from 0")
        hit, extra, missed = (each[:, positive : positive + 1] for each in (hit, extra, missed))
    classes = hit.shape[1]
    parts = np.concatenate([hit, extra, missed], axis=1).astype(np.float64)

    def figure(sums: Floats) -> Floats:
        right, wrong, lost = (sums[..., place * classes : (place + 1) * classes] for place in range(3))
        if average == "micro":
            right, wrong, lost = (each.sum(axis=-1, keepdims=True) for each in (right, wrong, lost))
        below = 2 * right + wrong + lost
        each = np.where(below > 0, 2 * right / np.maximum(below, 1e-300), 0.0)
        # A class that occurs neither in the labels nor in the answers has no F1.
        weights = right + lost if average == "weighted" else (below > 0).astype(np.float64)
        total = weights.sum(axis=-1)
        return np.asarray(np.where(total > 0, (each * weights).sum(axis=-1) / total, np.nan))

    return Sums(parts, figure)


def _decisions(
    answers: Answers, truth: Truth, settings: Mapping[str, Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What the model says and what is so: [n, classes] each."""
    if truth.kind == "array":
        wanted = _multi(answers, truth)
        several = answers.numbers().reshape(len(wanted), -1)
        return several >= settings.get("threshold", _middle(several)), wanted
    classes = truth.classes()
    count: int | None
    chosen: NDArray[Any]
    if math.prod(answers.shape) == 1 and answers.dtype.kind == "f":  # one score, of the second of two classes
        if classes.max(initial=0) > 1:
            raise Refused(f"{answers.name} is one score, and the labels go up to {classes.max()}")
        scores = answers.numbers().reshape(-1)
        count, chosen = 2, (scores >= settings.get("threshold", _middle(scores))).astype(np.int64)
    else:
        count, chosen = _class_count(answers, classes), np.full_like(classes, _NONE)
        for places, chunk in answers.chunks():
            rows = chunk.reshape(len(chunk), -1)
            known = np.isfinite(rows).all(axis=1)
            chosen[places] = np.where(known, rows.argmax(axis=1), _NONE) if count else rows[:, 0]
    every = np.arange(count or max(int(classes.max()), int(chosen.max())) + 1)
    return chosen[:, None] == every, classes[:, None] == every


def _middle(scores: Floats) -> float:
    return 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0


def _multi(answers: Answers, truth: Truth) -> NDArray[np.bool_]:
    wanted = truth.array()
    flat = wanted.reshape(len(wanted), -1)
    if flat.shape[1] != math.prod(answers.shape) or not np.isin(flat, (0, 1)).all():
        raise Refused(
            f"the labels are arrays {list(wanted.shape[1:])}, and {answers.name} is {list(answers.shape)}",
            hint="labels of several classes at once are one 0 or 1 for each score",
        )
    return flat.astype(np.bool_)


def auc(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Of two classes the area for the second one; else the mean of the areas of each class against the rest, of those
    that occur. Scores that do not sum to 1 over classes that exclude each other go through a softmax."""
    del settings
    scores = answers.numbers().reshape(len(truth.rows), -1)
    if truth.kind == "array":
        wanted = _multi(answers, truth)
    else:
        classes = truth.classes()
        count = max(2, scores.shape[1])
        if classes.max(initial=0) >= count:
            raise Refused(f"the labels go up to {classes.max()}, and {answers.name} has {scores.shape[1]} scores")
        wanted = classes[:, None] == np.arange(count)
        scores = scores if scores.shape[1] == 1 else probabilities(scores)
        if count == 2:
            wanted, scores = wanted[:, 1:], scores[:, -1:]
    areas = [_area(scores[:, place], wanted[:, place]) for place in range(wanted.shape[1])]

    def of(weights: Floats) -> Floats:
        each = np.stack([area(weights) for area in areas])
        known = np.isfinite(each)
        total = known.sum(axis=0)
        return np.where(total > 0, np.where(known, each, 0).sum(axis=0) / np.maximum(total, 1), np.nan)

    few = len(areas) <= _FEW_CLASSES
    return Weighed(len(scores), of, jackknife=_JACKKNIFE if few else 0, resamples=RESAMPLES if few else _RESAMPLES)


def probabilities(scores: Floats) -> Floats:
    """[n, classes], each row summing to 1: as given where it does so already, else by a softmax."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1, atol=1e-2):
        return scores
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _area(scores: Floats, positive: NDArray[np.bool_]) -> Any:
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))  # of groups of equal scores
    up, down = positive[order].astype(np.float64), (~positive[order]).astype(np.float64)

    def area(weights: Floats) -> Floats:
        ranked = weights[:, order]
        ups = np.add.reduceat(ranked * up, starts, axis=1)
        downs = np.add.reduceat(ranked * down, starts, axis=1)
        below = np.cumsum(downs, axis=1) - downs / 2
        pairs = ups.sum(axis=1) * downs.sum(axis=1)
        return np.where(pairs > 0, (ups * below).sum(axis=1) / np.where(pairs > 0, pairs, 1), np.nan)

    return area
