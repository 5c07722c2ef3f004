"""Activations that are fused into other operators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from dlpipe_worker import Refused

from .reading import Quantisation

BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}

Step = tuple[str, tuple[float | None, ...]]


def steps(activation: str, quantisation: Quantisation | None, dtype: str) -> Iterator[Step]:
    """(ONNX operator, its further inputs). None at all where quantising to the output's range does the same."""
    if activation == "NONE":
        return
    if activation == "TANH":
        yield "Tanh", ()
        return
    if activation not in BOUNDS:
        raise Refused(f"the fused activation {activation} has no counterpart", kind="unsupported")
    low, high = BOUNDS[activation]
    if quantisation is not None:
        low, high = _beyond(low, high, quantisation, dtype)
    if (low, high) == (0.0, None):
        yield "Relu", ()
    elif low is not None or high is not None:
        yield "Clip", (low, high)


def _beyond(
    low: float | None, high: float | None, quantisation: Quantisation, dtype: str
) -> tuple[float | None, float | None]:
    """The bounds that lie within what the quantised type can hold."""
    info = np.iinfo(dtype)
    scale, zero = float(quantisation.scale[0]), int(quantisation.zero_point[0])
    if low is not None and zero + round(low / scale) <= info.min:
        low = None
    if high is not None and zero + round(high / scale) >= info.max:
        high = None
    return low, high
