"""Convolutions."""

from typing import Any

from torch.nn import functional

from .table import Compute, Site, operator

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@operator("Conv")
def conv(site: Site) -> Compute:
    strides, dilations, group = site.attr("strides"), site.attr("dilations"), site.attr("group", 1)

    def compute(x: Any, w: Any, b: Any = None) -> Any:
        rank = w.dim() - 2
        stride, dilation = strides or [1] * rank, dilations or [1] * rank
        reach = [(size - 1) * step + 1 for size, step in zip(w.shape[2:], dilation, strict=True)]
        before, after = padding(site, x.shape[2:], reach, stride)
        if all(size == 1 for size in reach) and any(step > 1 for step in stride):
            return _CONV[rank](_every(pad(x, before, after), stride), w, b, 1, 0, 1, group)
        if before == after:
            return _CONV[rank](x, w, b, stride, before, dilation, group)
        return _CONV[rank](pad(x, before, after), w, b, stride, 0, dilation, group)

    return compute


def _every(x: Any, stride: list[int]) -> Any:
    """What a kernel of one place sees of `x`. oneDNN would do the same for itself, and writes past its copy where the
    last axis in memory is that of few channels: wrong gradients, or a crash (its issue 6035)."""
    return x[(..., *(slice(None, None, step) for step in stride))]


@operator("ConvTranspose")
def conv_transpose(site: Site) -> Compute:
    strides, dilations, group = site.attr("strides"), site.attr("dilations"), site.attr("group", 1)

    def compute(x: Any, w: Any, b: Any = None) -> Any:
        rank = w.dim() - 2
        whole = _TRANSPOSED[rank](x, w, None, strides or [1] * rank, 0, 0, group, dilations or [1] * rank)
        before, after = _cuts(site, x.shape[2:], whole.shape[2:], strides or [1] * rank)
        # A negative pad cuts off; what `output_padding` asks for beyond the kernel's reach is filled with zeros.
        result = pad(whole, [-each for each in before], [-each for each in after])
        return result if b is None else result + b.reshape(1, -1, *[1] * rank)

    return compute


def _cuts(site: Site, sizes: Any, whole: Any, strides: list[int]) -> tuple[list[int], list[int]]:
    """How much of each spatial axis of the whole result is cut off (before, after)."""
    rank, mode = len(strides), site.attr("auto_pad", "NOTSET")
    pads, more = site.attr("pads") or [0] * 2 * rank, site.attr("output_padding") or [0] * rank
    wanted = site.attr("output_shape")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    if wanted is None:
        return pads[:rank], [pads[rank + axis] - more[axis] for axis in range(rank)]
    before, after = [], []
    for axis, size in enumerate(wanted[-rank:]):
        total = whole[axis] + more[axis] - size
        small = total // 2
        before.append(small if mode == "SAME_UPPER" else total - small)
        after.append(total - before[-1] - more[axis])
    return before, after


def padding(site: Site, sizes: Any, reach: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """(before, after) of each spatial axis. `reach`: how many places the dilated kernel spans."""
    mode, rank = site.attr("auto_pad", "NOTSET"), len(reach)
    if mode in ("NOTSET", ""):
        pads = site.attr("pads") or [0] * 2 * rank
        return pads[:rank], pads[rank:]
    if mode == "VALID":
        return [0] * rank, [0] * rank
    before, after = [], []
    for size, span, stride in zip(sizes, reach, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        small, large = total // 2, total - total // 2
        before.append(large if mode == "SAME_LOWER" else small)
        after.append(small if mode == "SAME_LOWER" else large)
    return before, after


def pad(x: Any, before: list[int], after: list[int], value: float = 0.0) -> Any:
    """torch counts pads from the last axis."""
    flat = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
    return functional.pad(x, flat, value=value) if any(flat) else x
