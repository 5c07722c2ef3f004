"""Regression: the errors of numbers, and the score of a remaining useful life.

Source of the latter: A. Saxena, K. Goebel, D. Simon and N. Eklund, "Damage propagation modeling for aircraft engine
run-to-failure simulation", PHM 2008: the sum over engines of exp(-d / 13) - 1 for d < 0 and of exp(d / 10) - 1 else,
with d = predicted - true, since a failure that comes earlier than said costs more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .scored import Floats, Scored, Sums, mean_of
from .truth import Answers, Truth


def rmse(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Over all elements; every sample has equally many."""
    del settings
    made = mean_of((_errors(answers, truth) ** 2).mean(axis=1))
    return Sums(made.parts, lambda sums: np.sqrt(made.figure(sums)))


def mae(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    del settings
    return mean_of(np.abs(_errors(answers, truth)).mean(axis=1))


def rul_score(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Its sum over the samples, as the challenge defines it: it grows with their number."""
    del settings
    late = _errors(answers, truth)
    if late.shape[1] != 1:
        raise Refused(f"{answers.name} has {late.shape[1]} numbers per sample, and a remaining life is one")
    with np.errstate(over="ignore"):
        scores = np.where(late < 0, np.expm1(-late / 13), np.expm1(late / 10))
    if not np.isfinite(scores).all():
        raise Refused(f"{answers.name} is off by up to {np.abs(late).max():.3g}: the score is beyond all numbers")
    return Sums(scores, lambda sums: sums[..., 0])


def _errors(answers: Answers, truth: Truth) -> Floats:
    """[n, elements]: answer - truth."""
    said, wanted = answers.numbers(), truth.numbers()
    said, wanted = said.reshape(len(said), -1), wanted.reshape(len(wanted), -1)
    if said.shape != wanted.shape:
        raise Refused(
            f"{answers.name} has {said.shape[1]} numbers per sample, and the labels have {wanted.shape[1]}",
            hint="output=NAME behind the metric names the output that is meant",
        )
    return np.asarray(said - wanted, np.float64)
