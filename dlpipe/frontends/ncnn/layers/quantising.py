"""int8 layers: data and weights go through QuantizeLinear and DequantizeLinear, at the scales of the file.

ncnn's scale is what a number is multiplied with, ONNX's what it is divided by. ncnn uses -127 to 127.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..step import Step

_LIMIT = 127.0


def data(step: Step, value: str, scales: dict[str, Any]) -> str:
    """What goes into an int8 layer."""
    return _through(step, value, scales["data"], "data") if scales else value


def quantised(step: Step, value: str, scales: dict[str, Any]) -> str:
    """What comes out, where the layer hands on int8."""
    return _through(step, value, scales["result"], "result") if "result" in scales else value


def weights(step: Step, array: Any, scales: dict[str, Any]) -> str:
    """The weights as a value of floats. Raises Refused where they and their scales do not agree."""
    if not scales:
        if array.dtype == np.int8:
            step.fail("its weights are int8, and it has no scales for them")
        return step.constant(array, "weight")
    if array.dtype != np.int8:
        step.unsupported("it has scales for int8, and weights that are none")
    factor = _inverse(step, scales["weight"])
    if factor.size == 1:
        scale, zero = step.constant(factor[0], "weight_scale"), step.constant(np.int8(0), "weight_zero")
        return step.node("DequantizeLinear", [step.constant(array, "weight"), scale, zero])
    zeros = step.constant(np.zeros(factor.size, np.int8), "weight_zero")
    given = [step.constant(array, "weight"), step.constant(factor, "weight_scale"), zeros]
    return step.node("DequantizeLinear", given, axis=0)


def _inverse(step: Step, scale: Any) -> Any:
    """A channel of nothing but zeros has the scale 0."""
    if not np.isfinite(scale).all() or (scale < 0).any():
        step.fail("it has scales that are none")
    return np.where(scale == 0, np.float32(1), np.float32(1) / np.where(scale == 0, 1, scale)).astype(np.float32)


def _through(step: Step, value: str, scale: Any, name: str) -> str:
    factor = _inverse(step, scale)[0]
    bound = np.float32(_LIMIT) * factor
    limited = step.node("Clip", [value, step.number(-bound, f"{name}_low"), step.number(bound, f"{name}_high")])
    given = [step.constant(factor, f"{name}_scale"), step.constant(np.int8(0), f"{name}_zero")]
    return step.node("DequantizeLinear", [step.node("QuantizeLinear", [limited, *given]), *given])
