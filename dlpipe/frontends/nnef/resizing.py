"""Sampling up and down by whole factors."""

from __future__ import annotations

import numpy as np

from .shaping import bordered
from .step import Step, Tensor, handles

_METHODS = {"symmetric": "half_pixel", "asymmetric": "asymmetric", "aligned": "align_corners"}


@handles("nearest_upsample")
def _nearest_upsample(step: Step) -> Tensor:
    value, factor = step.tensor("input"), _factor(step)
    return step.result(
        "Resize",
        [value, "", _scales(step, factor)],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


@handles("nearest_downsample")
def _nearest_downsample(step: Step) -> Tensor:
    value, factor = step.tensor("input"), _factor(step)
    axes = range(2, 2 + len(factor))
    bounds = ([0] * len(factor), [(1 << 31) - 1] * len(factor), list(axes), factor)
    return step.result("Slice", [value, *map(step.ints, bounds)])


@handles("multilinear_upsample")
def _multilinear_upsample(step: Step) -> Tensor:
    """A border of zeros: one element more on each side, whose part of the result is cut off."""
    value, factor = step.tensor("input"), _factor(step)
    method = step.choice("method", *_METHODS)
    border = step.choice("border", "constant", "replicate")
    zeros = border == "constant" and method != "aligned"  # which asks for nothing outside
    if zeros:
        value = bordered(step, value, [(0, 0)] * 2 + [(1, 1)] * len(factor), "constant")
    made = step.emit(
        "Resize",
        [value, "", _scales(step, factor)],
        mode="linear",
        coordinate_transformation_mode=_METHODS[method],
    )
    if not zeros:
        return step.result("Identity", [made])
    axes = list(range(2, 2 + len(factor)))
    return step.result("Slice", [made, *map(step.ints, (factor, [-each for each in factor], axes))])


def _factor(step: Step) -> list[int]:
    factor, rank = step.integers("factor"), step.rank(step.tensor("input"))
    if len(factor) != rank - 2 or any(not 0 < each < 1 << 12 for each in factor):
        step.fail(f"factors {factor} for a tensor of {rank} dims")
    return factor


def _scales(step: Step, factor: list[int]) -> str:
    return step.constant(np.asarray([1, 1, *factor], np.float32)).name
