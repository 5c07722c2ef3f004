"""Metrics by the name under which the host asks for them (`Metric.compute`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from . import classes, own, pictures, retrieval, tokens, values
from .scored import Scored
from .truth import Answers, Truth

Score = Callable[[Answers, Truth, Mapping[str, Any]], Scored]

_SCORES: dict[str, Score] = {
    "top-k": classes.top_k,
    "f1": classes.f1,
    "auc": classes.auc,
    "iou": pictures.iou,
    "psnr": pictures.psnr,
    "ssim": pictures.ssim,
    "rmse": values.rmse,
    "mae": values.mae,
    "rul-score": values.rul_score,
    "perplexity": tokens.perplexity,
    "recall-at": retrieval.recall_at,
    "map-at": retrieval.map_at,
    "own": own.own,
}

# In the toolchain `metrics`: name -> module and function, which are imported only there.
_ELSEWHERE = {
    "wer": ("texts", "wer"),
    "cer": ("texts", "cer"),
    "bleu": ("texts", "bleu"),
    "map": ("boxes", "mean_average_precision"),
}


def score(name: str) -> Score:
    """KeyError where there is none."""
    if name in _SCORES:
        return _SCORES[name]
    module, function = _ELSEWHERE[name]
    found: Score = getattr(import_module(f".{module}", __package__), function)
    return found
