"""Resize and its predecessor, along one axis after the other, as a product with a matrix of weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .table import Compute, Site, numbers, operator


@operator("Resize", "Upsample")
def resize(site: Site) -> Compute:
    mode = site.attr("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear"):
        site.refuse(f"mode {mode!r}")
    if site.attr("antialias", 0) or site.attr("axes") or site.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
        site.refuse("antialias, axes or keep_aspect_ratio_policy")
    old = site.op == "Upsample" or site.opset < 11
    place = "asymmetric" if old else site.attr("coordinate_transformation_mode", "half_pixel")
    if place not in _PLACES:
        site.refuse(f"coordinate_transformation_mode {place!r}")
    rounding = "floor" if old else site.attr("nearest_mode", "round_prefer_floor")
    fixed = site.attr("scales")

    def compute(x: Any, *rest: Any) -> Any:
        scales, sizes = (rest[0] if rest else None, None) if old else ((*rest, None, None, None)[1:3])
        if sizes is not None and sizes.numel():
            wanted = [int(size) for size in numbers(sizes)]
            factors = [size / was for size, was in zip(wanted, x.shape, strict=True)]
        else:
            factors = fixed or numbers(scales)
            wanted = [int(np.floor(was * factor)) for was, factor in zip(x.shape, factors, strict=True)]
        for axis, (size, factor) in enumerate(zip(wanted, factors, strict=True)):
            was = x.shape[axis]
            if size == was and factor == 1:
                continue
            at = _PLACES[place](np.arange(size, dtype=np.float64), factor, was, size)
            if mode == "nearest":
                nearest = torch.from_numpy(_ROUND[rounding](at).clip(0, was - 1).astype(np.int64))
                x = x.index_select(axis, nearest.to(x.device))
            else:
                at = at.clip(0, was - 1)
                below = np.floor(at).astype(np.int64).clip(0, max(was - 2, 0))
                share = torch.from_numpy((at - below).astype(np.float32)).to(x.device)
                share = share.reshape([-1 if dim == axis else 1 for dim in range(x.dim())])
                under = torch.from_numpy(below).to(x.device)
                over = (under + 1).clamp_max(was - 1)
                x = x.index_select(axis, under) * (1 - share) + x.index_select(axis, over) * share
        return x

    return compute


# Of a place in the result: its place in the input. (places, factor, length before, length after)
_PLACES: dict[str, Callable[..., Any]] = {
    "asymmetric": lambda at, factor, _was, _size: at / factor,
    "half_pixel": lambda at, factor, _was, _size: (at + 0.5) / factor - 0.5,
    "pytorch_half_pixel": lambda at, factor, _was, size: (at + 0.5) / factor - 0.5 if size > 1 else at * 0,
    "align_corners": lambda at, _factor, was, size: at * (was - 1) / (size - 1) if size > 1 else at * 0,
}
_ROUND: dict[str, Callable[..., Any]] = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
