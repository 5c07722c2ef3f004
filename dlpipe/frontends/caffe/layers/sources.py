"""Layers without bottoms whose blobs are no inputs."""

from __future__ import annotations

import math

import numpy as np

from .. import schema
from ..step import MAX_MADE, Step, layer


@layer("DummyData", limits="constant fillers only")
def dummy_data(step: Step) -> None:
    params = step.params("dummy_data_param")
    tops = len(step.tops)
    shapes = [schema.dims(each, "dummy_data_param") for each in params.shape]
    if not shapes:
        legacy = [params.num, params.channels, params.height, params.width]
        if any(len(each) not in (1, tops) for each in legacy):
            step.fail("it has no shape for every top")
        shapes = [[each[index if len(each) == tops else 0] for each in legacy] for index in range(tops)]
    fillers = params.data_filler
    if len(shapes) not in (1, tops) or len(fillers) not in (0, 1, tops):
        step.fail(f"it has {len(shapes)} shapes and {len(fillers)} fillers for {tops} tops")
    for index in range(tops):
        filler = fillers[index if len(fillers) == tops else 0] if fillers else None
        value = 0.0
        if filler is not None:
            if str(filler.scalar("type") or "constant") != "constant":
                step.fail("it is filled with random numbers", "unsupported", "declare an Input layer in its place")
            value = float(filler.scalar("value") or 0)
        shape = shapes[index if len(shapes) == tops else 0]
        if min(shape, default=1) < 1 or math.prod(shape) > MAX_MADE:
            step.fail(f"it has the shape {shape}")
        made = step.constant(np.full(shape, value, np.float32), "data")
        step.out("Identity", [made], shape, index)
