"""Pictures of another size."""

from __future__ import annotations

import numpy as np

from ..step import Step, layer

_MODES = {1: "nearest", 2: "linear", 3: "cubic"}


@layer("Interp", limits="no size that is computed at run time")
def _interp(step: Step) -> None:
    step.expect()
    kind = step.layer.integer(0)
    scales = [step.layer.real(1, 1.0), step.layer.real(2, 1.0)]
    sizes = [step.layer.integer(3), step.layer.integer(4)]
    if step.layer.integer(5):
        step.unsupported("its size is computed at run time")
    corners = step.layer.integer(6)
    if kind not in _MODES or min(scales) <= 0 or min(sizes) < 0:
        step.fail(f"it is of the kind {kind}, with the scales {scales} and the sizes {sizes}")
    if step.rank(1, 3) == 1:
        _spread(step, sizes)
        return
    if all(sizes):
        whole = [step.node("Shape", [step.value], start=0, end=2), step.ints(sizes, "size")]
        by = ["", "", step.node("Concat", whole, axis=0)]
    else:
        by = ["", step.constant(np.asarray([1.0, 1.0, *scales], np.float32), "scales")]
    if kind == 1:
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        how = {"coordinate_transformation_mode": "align_corners" if corners else "half_pixel"}
    step.out("Resize", [step.value, *by], mode=_MODES[kind], cubic_coeff_a=-0.75 if kind == 3 else None, **how)


def _spread(step: Step, sizes: list[int]) -> None:
    """A vector: one flat picture of each number."""
    if min(sizes) < 1:
        step.unsupported("it is given a vector, and no size")
    thin = step.node("Unsqueeze", [step.value, step.ints([2, 3], "axes")])
    step.out("Expand", [thin, step.ints([1, 1, *sizes], "size")])
