"""GPTQ: what rounding one row costs is made good in the rows that are still to be rounded."""

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .blocks import Grid, Scales, expanded

_DAMPING = 0.01  # of the Hessian's mean diagonal
_LAZY = 128  # rows whose corrections are applied to the rest at once


def compensated(matrix: Any, hessian: Any, scales: Scales, grid: Grid) -> Any:
    """Integers [K, N] for a matrix [K, N] that multiplies inputs x [.., K], of which `hessian` is the sum of x^T x.

    The rows go in the order of the inputs' power, the strongest first, with scales that are settled beforehand.
    Source: Frantar et al. 2023.
    """
    rows = len(matrix)
    power = np.diag(hessian).copy()
    order = np.argsort(-power, kind="stable")
    scale, zero = (expanded(each, grid, rows)[order] for each in (scales.scale, scales.zero))
    left = np.where(power[:, None] > 0, matrix, 0).astype(np.float64)[order]  # an input that is always 0
    inverse = _inverse_factor(hessian, power, order)
    numbers = np.empty(matrix.shape, grid.container)
    for start in range(0, rows, _LAZY):
        end = min(start + _LAZY, rows)
        errors = np.empty((end - start, matrix.shape[1]))
        for row in range(start, end):
            chosen = np.clip(np.rint(left[row] / scale[row]) + zero[row], grid.low, grid.high)
            numbers[order[row]] = chosen
            error = (left[row] - (chosen - zero[row]) * scale[row]) / inverse[row, row]
            errors[row - start] = error
            left[row:end] -= inverse[row, row:end, None] * error
        left[end:] -= inverse[start:end, end:].T @ errors
    return numbers


def share_of_products(matrix: Any, rounded: Any, hessian: Any) -> float:
    """Noise by signal of the products that the inputs of `hessian` have with both."""
    error = matrix - rounded
    power = float((matrix * (hessian @ matrix)).sum())
    return float((error * (hessian @ error)).sum()) / power if power > 0 else 0.0


def _inverse_factor(hessian: Any, power: Any, order: Any) -> Any:
    """The upper Cholesky factor of the inverse of the damped Hessian, its rows in that order."""
    damped = hessian[np.ix_(order, order)].astype(np.float64)
    dead = power[order] == 0
    mean = float(power.mean()) or 1.0
    damped[np.diag_indices_from(damped)] += np.where(dead, mean, _DAMPING * mean)
    try:
        # H = U U^T with U upper, which is Cholesky's factor of H turned about; so H^-1 = (U^-1)^T U^-1.
        return np.linalg.inv(np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1])
    except np.linalg.LinAlgError as error:
        raise Refused("the inputs of a layer do not determine its Hessian: give more samples") from error
