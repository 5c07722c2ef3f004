"""Language models: perplexity.

Source: F. Jelinek, R. L. Mercer, L. R. Bahl and J. K. Baker, "Perplexity: a measure of the difficulty of speech
recognition tasks", JASA 1977: exp of the mean negative log-likelihood of a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .scored import Scored, Sums
from .truth import Answers, Truth

_WORST = 1e-45  # the likelihood of a token that the model gives none: the least that a float32 holds


def perplexity(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Labels are arrays of token numbers: which token each position shall tell; negative ones do not count. Answers
    are [positions, vocabulary]: logits, log-probabilities or probabilities."""
    del settings
    wanted = truth.array()
    wanted = wanted.reshape(len(wanted), -1)
    shape = tuple(dim for dim in answers.shape[:-1] if dim != 1) or (1,)
    if wanted.dtype.kind not in "iu" or shape != wanted.shape[1:]:
        raise Refused(
            f"{answers.name} is {list(answers.shape)} for each sample, and the labels {wanted.dtype} "
            f"{list(wanted.shape[1:])}: they shall be the token of each position"
        )
    vocabulary = answers.shape[-1]
    if wanted.max(initial=0) >= vocabulary:
        raise Refused(f"the labels go up to {wanted.max()}, and {answers.name} has {vocabulary} tokens")
    parts = np.zeros((len(wanted), 2))
    for places, chunk in answers.chunks():
        scores = chunk.reshape(len(chunk), -1, vocabulary).astype(np.float64)
        if not np.isfinite(scores).all():
            raise Refused(f"{answers.name} holds NaN or infinities")
        tokens = wanted[places]
        counted = tokens >= 0
        said = np.take_along_axis(scores, np.where(counted, tokens, 0)[..., None], axis=-1)[..., 0]
        if (scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1, atol=1e-2):
            logs = np.log(np.maximum(said, _WORST))
        else:
            highest = scores.max(axis=-1)
            logs = said - highest - np.log(np.exp(scores - highest[..., None]).sum(axis=-1))
        parts[places, 0] = -(logs * counted).sum(axis=1)
        parts[places, 1] = counted.sum(axis=1)
    if not parts[:, 1].any():
        raise Refused("the labels hold no token that counts")
    return Sums(parts, lambda sums: np.exp(sums[..., 0] / sums[..., 1]))
