"""A model's figure on labelled data, with its interval, alone and paired with the original's. Worker side."""

from __future__ import annotations

import base64
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from . import statistics
from .metrics.catalogue import score
from .metrics.intervals import draws, interval, paired_p, replicates
from .metrics.scored import Scored
from .metrics.truth import Truth, read_answers, read_truth

_ALONE = "this is the original itself, or there are no outputs of it to compare with"
_TOO_FEW = "the samples are too few, or too much alike, to tell an interval"


@operation
def accuracy(request: Request) -> dict[str, Any]:
    """Inputs: `candidate` (outputs.npz), `labels` (labels.json, labels.npz), and `reference` (the original's
    outputs.npz on the same samples) where a comparison is wanted. Params: `Metric.params`.

    Returns contracts/measurement.py's Accuracy. Raises Refused when outputs and labels do not fit together.
    """
    truth = read_truth(Path(request.inputs["labels"]))
    mine = _score(request, "candidate", truth)
    original = _score(request, "reference", truth) if "reference" in request.inputs else None
    found = _shares(mine, original) if mine.right is not None else _resampled(mine, original, request)
    reasons = [] if original is not None else [_ALONE]
    reasons += [_TOO_FEW] if found["ci95"] is None else []
    params = request.params
    return {
        "metric": params["metric"],
        "unit": params["unit"],
        "better": params["better"],
        "n": mine.n,
        "provenance": "measured",
        **found,
        "reason": "; ".join(reasons) or None,
    }


def _score(request: Request, whose: str, truth: Truth) -> Scored:
    file, params = Path(request.inputs[whose]) / "outputs.npz", request.params
    answers = read_answers(file, params.get("output"), truth.rows, truth.count)
    settings = params["settings"]
    if "code" in request.inputs:
        settings = {**settings, "code": request.inputs["code"]}
    return score(params["compute"])(answers, truth, settings)


def _shares(mine: Scored, original: Scored | None) -> dict[str, Any]:
    """Of right answers: intervals and test are known without resampling."""
    right = mine.right
    assert right is not None
    found = {
        "value": float(right.mean()),
        "ci95": statistics.wilson(int(right.sum()), len(right)),
        "interval": "wilson",
        "correct_digest": hashlib.sha256(right.astype(np.uint8).tobytes()).hexdigest(),
        # So that a later run's answers can be compared with these sample by sample, wherever the report has got to.
        "correct": base64.b64encode(np.packbits(right).tobytes()).decode(),
    }
    if original is None:
        return found
    assert original.right is not None
    only_original, only_this = int((original.right & ~right).sum()), int((right & ~original.right).sum())
    bounds = statistics.paired_difference(only_original, only_this, len(right))
    return {
        **found,
        "drop": 100 * (only_original - only_this) / len(right),
        "drop_ci95": [100 * end for end in bounds],
        "p_value": statistics.mcnemar(only_original, only_this),
        "test": "mcnemar-exact",
        "only_original_right": only_original,
        "only_this_right": only_this,
    }


def _resampled(mine: Scored, original: Scored | None, request: Request) -> dict[str, Any]:
    value = _figure(mine)
    drawn = replicates(mine) if mine.n > 1 else np.empty(0)
    bounds, how = interval(value, drawn, mine.without_each() if mine.n > 1 else None)
    found: dict[str, Any] = {"value": value, "ci95": bounds, "interval": how}
    if original is None:
        return found
    sign = 1.0 if request.params["better"] == "higher" else -1.0
    scale = sign * (100.0 if request.params["unit"] == "fraction" else 1.0)
    drop = scale * (_figure(original) - value) + 0.0  # no negative zero
    apart = _concatenated(scale * (original.values(each) - mine.values(each)) for each in _pairs(mine))
    without, without_mine = original.without_each(), mine.without_each()
    left_out = scale * (without - without_mine) if without is not None and without_mine is not None else None
    bounds, _ = interval(drop, apart, left_out if mine.n > 1 else None)
    return {**found, "drop": drop, "drop_ci95": bounds, "p_value": paired_p(apart), "test": "paired-bootstrap"}


def _pairs(scored: Scored) -> Any:
    return draws(scored.n, scored.resamples) if scored.n > 1 else ()


def _concatenated(found: Any) -> Any:
    every = list(found)
    return np.concatenate(every) if every else np.empty(0)


def _figure(scored: Scored) -> float:
    value = float(scored.values(np.ones((1, scored.n)))[0])
    if not math.isfinite(value):
        raise Refused("the labelled samples do not tell this metric: is there only one class among them?")
    return value
