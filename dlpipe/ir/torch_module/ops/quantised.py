"""Quantisation as it is computed, without gradients through the rounding: `fake.py` trains."""

from typing import Any

import torch

from .table import Compute, Site, dtype, operator, together

_BOUNDS = {torch.uint8: (0, 255), torch.int8: (-128, 127), torch.int16: (-32768, 32767), torch.int32: None}


@operator("QuantizeLinear")
def quantize(site: Site) -> Compute:
    axis = _axis(site)
    stated = site.attr("output_dtype", 0)

    def compute(x: Any, scale: Any, zero: Any = None) -> Any:
        kind = zero.dtype if zero is not None else dtype(stated) if stated else torch.uint8
        bounds = _BOUNDS.get(kind)
        if bounds is None:
            site.refuse(f"to {kind}")
        x, scale, zero = together(x, scale, torch.zeros_like(scale) if zero is None else zero)
        whole = torch.round(x / along(scale, x, axis)) + along(zero, x, axis)
        return whole.clamp(*bounds).to(kind)

    return compute


@operator("DequantizeLinear")
def dequantize(site: Site) -> Compute:
    axis = _axis(site)

    def compute(x: Any, scale: Any, zero: Any = None) -> Any:
        x, scale, zero = together(x, scale, torch.zeros_like(scale) if zero is None else zero)
        return (x.to(scale.dtype) - along(zero, x, axis).to(scale.dtype)) * along(scale, x, axis)

    return compute


def along(numbers: Any, x: Any, axis: int) -> Any:
    """One number, or one for each place along that axis, in a shape that broadcasts against `x`."""
    if numbers.numel() == 1:
        return numbers.reshape(())
    return numbers.reshape([-1 if each == axis % x.dim() else 1 for each in range(x.dim())])


def _axis(site: Site) -> int:
    if site.attr("block_size", 0):
        site.refuse("scales by blocks")
    return int(site.attr("axis", 1))
