"""Texts: word and character error rates (jiwer), BLEU (sacrebleu). Worker side, in the toolchain `metrics`.

Both count what they count per sample, so that their figures for any weighting of the samples are functions of sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jiwer
import numpy as np
from sacrebleu.metrics.bleu import BLEU

from .decoding import texts_of
from .scored import Floats, Scored, Sums
from .truth import Answers, Truth

_ORDERS = 4  # of BLEU's n-grams


def wer(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Wrong, missing and superfluous words over the words that should have been said; it may exceed 1."""
    return _errors(answers, truth, settings, jiwer.process_words)


def cer(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """The same of characters."""
    return _errors(answers, truth, settings, jiwer.process_characters)


def _errors(answers: Answers, truth: Truth, settings: Mapping[str, Any], count: Any) -> Scored:
    parts = []
    for wanted, said in _pairs(answers, truth, settings):
        if not wanted:  # jiwer has no figure for an empty reference: all that is said is superfluous
            found = count("x", said) if said else None
            parts.append([found.substitutions + found.insertions if found else 0, 0])
            continue
        found = count(wanted, said)
        wrong = found.substitutions + found.deletions
        parts.append([wrong + found.insertions, wrong + found.hits])
    return Sums(np.array(parts, np.float64), lambda sums: sums[..., 0] / sums[..., 1])


def bleu(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """BLEU of the whole, from 0 to 100, with sacrebleu's defaults (13a tokens, exponential smoothing)."""
    scorer = BLEU(effective_order=True)
    found = [scorer.sentence_score(said, [wanted]) for wanted, said in _pairs(answers, truth, settings)]
    parts = np.array([[*each.counts, *each.totals, each.sys_len, each.ref_len] for each in found], np.float64)

    def figure(sums: Floats) -> Floats:
        rows = np.rint(np.atleast_2d(sums)).astype(np.int64).tolist()
        scores = [
            BLEU.compute_bleu(row[:_ORDERS], row[_ORDERS : 2 * _ORDERS], row[-2], row[-1], smooth_method="exp").score
            if row[-1]
            else np.nan
            for row in rows
        ]
        return np.array(scores)

    return Sums(parts, figure)


def _pairs(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what should be said, what is said); with lower=1 both in lower case."""
    pairs = list(zip(truth.texts(), texts_of(answers, truth.names), strict=True))
    return [(wanted.lower(), said.lower()) for wanted, said in pairs] if settings.get("lower") else pairs
