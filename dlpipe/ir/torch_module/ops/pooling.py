"""Pooling."""

import math
from typing import Any

from torch.nn import functional

from .convolving import pad, padding
from .table import Compute, Site, operator

_MAX = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@operator("MaxPool")
def max_pool(site: Site) -> Compute:
    kernel = site.attr("kernel_shape")
    rank = len(kernel)
    strides, dilations = site.attr("strides") or [1] * rank, site.attr("dilations") or [1] * rank
    if len(site.node.outputs) > 1:
        site.refuse("its second output, the places of the maxima")

    def compute(x: Any) -> Any:
        reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
        before, after = _fit(site, x.shape[2:], reach, strides)
        if _inside(before, after, reach, dilations):
            return _MAX[rank](x, kernel, strides, before, dilations)
        padded = pad(x, before, after, -math.inf)
        return _MAX[rank](padded, kernel, strides, 0, dilations)

    return compute


@operator("AveragePool")
def average_pool(site: Site) -> Compute:
    kernel = site.attr("kernel_shape")
    rank = len(kernel)
    strides, with_pads = site.attr("strides") or [1] * rank, site.attr("count_include_pad", 0)
    if any(step != 1 for step in site.attr("dilations") or ()):
        site.refuse("dilations")

    def compute(x: Any) -> Any:
        declared = padding(site, x.shape[2:], kernel, strides)
        before, after = _fit(site, x.shape[2:], kernel, strides)
        if declared == (before, after) and _inside(before, after, kernel, [1] * rank):
            return _AVERAGE[rank](x, kernel, strides, before, count_include_pad=bool(with_pads))
        mean = _AVERAGE[rank](pad(x, before, after), kernel, strides)
        if not any((*before, *after)):
            return mean
        # How much of each window counts: without the pads, or without what only rounding up has added.
        counted = x.new_ones((1, 1, *x.shape[2:]))
        if with_pads:
            counted = pad(counted, *declared, 1.0)
            before, after = [0] * rank, [end - pads for end, pads in zip(after, declared[1], strict=True)]
        return mean / _AVERAGE[rank](pad(counted, before, after), kernel, strides)

    return compute


def _fit(site: Site, sizes: Any, reach: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """Pads, with what `ceil_mode` asks for at the end so that the last window is whole."""
    before, after = padding(site, sizes, reach, strides)
    if not site.attr("ceil_mode", 0):
        return before, after
    after = list(after)
    for axis, (span, stride) in enumerate(zip(reach, strides, strict=True)):
        padded = sizes[axis] + before[axis] + after[axis]
        windows = -(-(padded - span) // stride) + 1
        if (windows - 1) * stride >= sizes[axis] + before[axis]:  # it would begin behind the end
            windows -= 1
        after[axis] += max((windows - 1) * stride + span - padded, 0)
    return before, after


def _inside(before: list[int], after: list[int], reach: list[int], dilations: list[int]) -> bool:
    """Whether torch's own pads do it: the same on both sides, and no more than half of a kernel."""
    sizes = [(span - 1) // step + 1 for span, step in zip(reach, dilations, strict=True)]
    return list(before) == list(after) and all(2 * pads <= size for pads, size in zip(before, sizes, strict=True))


@operator("GlobalAveragePool")
def global_average_pool(_site: Site) -> Compute:
    return lambda x: x.mean(tuple(range(2, x.dim())), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(_site: Site) -> Compute:
    return lambda x: x.amax(tuple(range(2, x.dim())), keepdim=True)
