"""Pictures and segmentations: intersection over union, peak signal-to-noise ratio, structural similarity.

Sources: M. Everingham et al., "The PASCAL visual object classes challenge", IJCV 2010 (IoU, summed over the data
set); Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE TIP 2004 (Gaussian window of 11 with sigma 1.5, K1 = 0.01, K2 = 0.03).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .scored import Floats, Scored, Sums, mean_of
from .truth import Answers, Truth

BEST_DB = 100.0  # the PSNR of equal pictures, which is infinite: one such must not swallow the mean
_IGNORED = 255  # the label that segmentation data sets give to pixels that do not count
_SIGMA, _RADIUS = 1.5, 5


def iou(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """Labels are arrays of class indices. `positive`: of that class alone; else the mean over the classes that occur
    in the labels or the answers. Answers are class indices, scores with the classes first or last, or (of two classes)
    one score per pixel."""
    wanted = truth.array()
    if wanted.dtype.kind not in "iub":
        raise Refused(f"the labels are {wanted.dtype}, and pixels need class indices")
    wanted = _without_ones(wanted.astype(np.int64))
    counts = wanted != settings.get("ignore", _IGNORED)
    highest = int(wanted[counts].max(initial=0))
    parts: list[Floats] = []
    for places, chunk in answers.chunks():
        chosen, classes = _classes(answers.name, chunk, wanted.shape[1:], settings)
        count = max(classes, highest + 1, int(settings.get("positive", 0)) + 1)
        for mine, is_so, valid in zip(chosen, wanted[places], counts[places], strict=True):
            told, real = mine[valid], is_so[valid]
            both = np.bincount(told[told == real], minlength=count)
            either = np.bincount(told, minlength=count) + np.bincount(real, minlength=count) - both
            parts.append(np.concatenate([both, either]).astype(np.float64))
    widest = max(len(each) for each in parts) // 2
    table = np.stack([np.pad(each.reshape(2, -1), ((0, 0), (0, widest - len(each) // 2))).ravel() for each in parts])
    positive = settings.get("positive")

    def figure(sums: Floats) -> Floats:
        both, either = sums[..., :widest], sums[..., widest:]
        each = np.where(either > 0, both / np.where(either > 0, either, 1), np.nan)
        if positive is not None:
            return np.asarray(each[..., positive])
        known = np.isfinite(each)
        total = known.sum(axis=-1)
        return np.where(total > 0, np.where(known, each, 0).sum(axis=-1) / np.maximum(total, 1), np.nan)

    return Sums(table, figure)


def _classes(
    name: str, chunk: NDArray[Any], pixels: tuple[int, ...], settings: Mapping[str, Any]
) -> tuple[NDArray[np.int64], int]:
    """Class indices [n, *pixels], and how many classes are known of."""
    said = _without_ones(chunk)
    if said.shape[1:] == pixels and said.dtype.kind in "iub":
        found = said.astype(np.int64)
        if found.min(initial=0) < 0:
            raise Refused(f"{name} holds negative classes")
        return found, int(found.max(initial=0)) + 1
    scores = np.where(np.isfinite(said), said.astype(np.float64), -np.inf)
    if said.shape[1:] == pixels:
        middle = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0
        return (scores >= settings.get("threshold", middle)).astype(np.int64), 2
    for axis, rest in ((1, said.shape[2:]), (-1, said.shape[1:-1])):
        if rest == pixels:
            return scores.argmax(axis=axis), scores.shape[axis]
    raise Refused(f"{name} is {list(chunk.shape[1:])} for each sample, and its labels are {list(pixels)}")


def _without_ones(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(len(array), *(dim for dim in array.shape[1:] if dim != 1))


def psnr(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """In dB. `range`: from black to white; by default 255 where the labels go beyond 1, else 1."""
    said, wanted, white = _pairs(answers, truth, settings)
    square = ((said - wanted) ** 2).reshape(len(said), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        return mean_of(np.minimum(10 * np.log10(white**2 / square), BEST_DB))


def ssim(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> Scored:
    """The mean over pixels whose window lies within the picture, and over channels."""
    said, wanted, white = _pairs(answers, truth, settings)
    shape = said.shape[1:]
    if len(shape) == 2:
        said, wanted = said[..., None], wanted[..., None]
    elif len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        said, wanted = (np.moveaxis(each, 1, -1) for each in (said, wanted))
    if said.ndim != 4 or min(said.shape[1:3]) <= 2 * _RADIUS:
        raise Refused(f"{answers.name} is {list(shape)}: no picture of at least {2 * _RADIUS + 1} pixels a side")
    return mean_of([_similarity(*pair, white) for pair in zip(said, wanted, strict=True)])


def _similarity(one: Floats, other: Floats, white: float) -> float:
    """Pictures [height, width, channels]. Windows are weighted by a Gaussian, variances are those of the window."""
    small, great = (0.01 * white) ** 2, (0.03 * white) ** 2
    mean, mean2 = _blurred(one), _blurred(other)
    variance = _blurred(one * one) - mean * mean
    variance2 = _blurred(other * other) - mean2 * mean2
    shared = _blurred(one * other) - mean * mean2
    above = (2 * mean * mean2 + small) * (2 * shared + great)
    below = (mean * mean + mean2 * mean2 + small) * (variance + variance2 + great)
    return float((above / below).mean())


def _blurred(picture: Floats) -> Floats:
    """Only where the whole window lies inside: [height - 10, width - 10, channels]."""
    places = np.arange(-_RADIUS, _RADIUS + 1)
    window = np.exp(-(places**2) / (2 * _SIGMA**2))
    window /= window.sum()
    for axis in (0, 1):
        views = np.lib.stride_tricks.sliding_window_view(picture, len(window), axis=axis)
        picture = views @ window
    return picture


def _pairs(answers: Answers, truth: Truth, settings: Mapping[str, Any]) -> tuple[Floats, Floats, float]:
    said, wanted = answers.numbers(), truth.numbers()
    said = said[:, 0] if said.ndim == wanted.ndim + 1 and said.shape[1] == 1 else said
    if said.size == wanted.size and _without_ones(said).shape == _without_ones(wanted).shape:
        wanted = wanted.reshape(said.shape)
    if said.shape != wanted.shape:
        raise Refused(f"{answers.name} is {list(answers.shape)}, and the labels are {list(wanted.shape[1:])} each")
    white = float(settings.get("range", 255.0 if wanted.max() > 1 else 1.0))
    return said, wanted, white
