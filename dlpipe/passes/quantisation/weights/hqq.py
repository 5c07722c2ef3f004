"""Half-quadratic quantisation: scales and zero points that suit most weights of a block, not its outliers."""

from typing import Any

import numpy as np

from .blocks import Grid, Scales, blocked, round_to_nearest

_STEPS = 8  # nothing moves after that
_AT_ONCE = 1 << 18  # numbers that are worked on together: more leave the caches
_P = 0.7  # the norm whose p-th power is least: below 1, so that an outlier counts little
_BETA, _GROWTH = 10.0, 1.01


def half_quadratic(matrix: Any, grid: Grid) -> Scales:
    """Alternates between the errors that are let stand (shrinkage) and the scale and zero point that fit the rest by
    least squares; each block keeps the best it has seen, beginning with that of round-to-nearest.

    Source: Badri and Shaji 2023, where only a zero point in float is fitted. DequantizeLinear's is an integer, so the
    scale is fitted too.
    """
    columns = max(1, _AT_ONCE // len(matrix))
    parts = [_fitted(matrix[:, start : start + columns], grid) for start in range(0, matrix.shape[1], columns)]
    return Scales(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))


def _fitted(matrix: Any, grid: Grid) -> tuple[Any, Any]:
    """(scale, zero point), both [blocks, N]."""
    cut = blocked(matrix, grid.block)
    start = round_to_nearest(matrix, grid)
    scale, zero = start.scale[:, None], start.zero[:, None].astype(np.float32)
    best_scale, best_zero = scale, zero
    best = np.full(scale.shape, np.inf)
    beta = _BETA / np.maximum(np.abs(cut).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    for _ in range(_STEPS):
        numbers = np.clip(np.rint(cut / scale) + zero, grid.low, grid.high)
        error = cut - (numbers - zero) * scale
        cost = (np.abs(error) ** _P).sum(axis=1, keepdims=True)
        better = cost < best
        best, best_scale, best_zero = (
            np.where(better, new, old) for new, old in ((cost, best), (scale, best_scale), (zero, best_zero))
        )
        target = cut - _shrunk(error, beta)
        if not grid.symmetric:
            zero = np.clip(np.rint((numbers - target / scale).mean(axis=1, keepdims=True)), grid.low, grid.high)
        steps = numbers - zero
        power = (steps * steps).sum(axis=1, keepdims=True)
        fitted = (target * steps).sum(axis=1, keepdims=True) / np.maximum(power, 1)
        scale = np.where(fitted > np.finfo(np.float32).tiny, fitted, scale).astype(np.float32)
        beta *= _GROWTH
    return best_scale[:, 0].astype(np.float32), best_zero[:, 0].astype(np.int16)


def _shrunk(error: Any, beta: Any) -> Any:
    """The proximal operator of |x|^p / beta: small errors become zero, large ones stand."""
    size = np.abs(error)
    cut = size - np.where(size > 0, np.maximum(size, 1e-12) ** (_P - 1), 0) / beta
    return np.sign(error) * np.maximum(cut, 0)
