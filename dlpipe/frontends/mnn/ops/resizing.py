"""Pictures of another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..step import Step, operator

# The enum CoordinateTransformationMode.
_PLACES = {1: "align_corners", 2: "half_pixel", 3: "pytorch_half_pixel", 4: "asymmetric", 5: "half_pixel"}
_NEAREST, _BILINEAR, _CUBIC, _NEAREST_ROUNDED = 1, 2, 3, 4


@operator("Interp", limits="no size that is computed at run time")
def _interp(step: Step) -> None:
    step.expect((1, 2))
    table = step.op.table("Interp")
    step.image()
    kind = int(table.number(4, "int32"))
    width, height = (int(table.number(slot, "int32")) for slot in (2, 3))
    scales = [float(table.number(slot, "float32", 0.0)) for slot in (1, 0)]
    places = int(table.number(10, "int8"))
    if not 1 <= kind <= 4 or places not in (0, *_PLACES):
        step.unsupported(f"it is of the kind {kind}, its places are of the kind {places}")
    if places == 0:
        places = 1 if table.number(5, "bool", False) else 2 if table.number(6, "bool", False) else 4
    by: list[str]
    given = step.graph.array(step.inputs[1]) if len(step.inputs) == 2 else None
    if len(step.inputs) == 2 and given is None:
        step.unsupported("its size is computed at run time")
    if given is not None and np.issubdtype(given.dtype, np.floating):
        if given.size != 4:
            step.unsupported(f"its scales are {given.reshape(-1)[:4]}")
        by = ["", step.constant(given.reshape(-1).astype(np.float32), "scales")]
    else:
        sizes = [int(each) for each in given.reshape(-1)[-2:]] if given is not None else [height, width]
        by = _by_size(step, sizes, scales)
    how: dict[str, Any] = {"coordinate_transformation_mode": _PLACES[places]}
    if kind in (_NEAREST, _NEAREST_ROUNDED):
        how["nearest_mode"] = "floor" if kind == _NEAREST else "round_prefer_floor"
    if kind == _CUBIC:
        how["cubic_coeff_a"] = float(table.number(9, "float32", -0.75))
    mode = {_NEAREST: "nearest", _BILINEAR: "linear", _CUBIC: "cubic", _NEAREST_ROUNDED: "nearest"}[kind]
    step.out("Resize", [step.value, *by], mode=mode, **how)


def _by_size(step: Step, sizes: list[int], scales: list[float]) -> list[str]:
    if min(sizes) > 0:
        whole = [step.node("Shape", [step.value], start=0, end=2), step.ints(sizes, "size")]
        return ["", "", step.node("Concat", whole, axis=0)]
    if min(scales) <= 0:
        step.unsupported("it has neither sizes nor scales")
    return ["", step.constant(np.asarray([1.0, 1.0, *scales], np.float32), "scales")]
