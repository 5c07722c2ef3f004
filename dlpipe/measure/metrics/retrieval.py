"""Retrieval: each sample asks for others of its class among all that are labelled, by the cosine of the outputs.

Sources: H. Oh Song, Y. Xiang, S. Jegelka and S. Savarese, "Deep metric learning via lifted structured feature
embedding", CVPR 2016 (recall at k, leaving the asking sample out); C. D. Manning, P. Raghavan and H. Schütze,
"Introduction to Information Retrieval", 2008, chapter 8 (average precision).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .scored import Scored, mean_of, share_of
from .truth import Answers, Truth

_ROWS = 256


def recall_at(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Whether one of the k nearest is of the class. Samples that are the only ones of their class ask nothing."""
    relevant, _ = _ranked(answers, truth, settings["k"])
    return share_of(np.asarray(relevant.any(axis=1), np.bool_))


def map_at(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """The mean of the average precision among the k nearest; of those there are at most min(k, relevant) to find."""
    k = settings["k"]
    relevant, total = _ranked(answers, truth, k)
    precision = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    return mean_of((precision * relevant).sum(axis=1) / np.minimum(total, k))


def _ranked(answers: Answers, truth: Truth, k: int) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Per asking sample: whether the nearest, the next ... is of its class [queries, <= k], and how many are there."""
    classes = truth.classes()
    found = answers.numbers().reshape(len(classes), -1)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    found = found / np.where(norms > 0, norms, 1)
    same = np.array([int((classes == each).sum()) - 1 for each in classes])
    asking = np.flatnonzero(same > 0)
    if not len(asking):
        raise Refused("no two samples are of one class: there is nothing to retrieve")
    relevant = []
    for start in range(0, len(asking), _ROWS):
        rows = asking[start : start + _ROWS]
        near = found[rows] @ found.T
        near[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argsort(-near, axis=1, kind="stable")[:, : min(k, len(classes) - 1)]
        relevant.append(classes[nearest] == classes[rows][:, None])
    return np.concatenate(relevant), same[asking]
