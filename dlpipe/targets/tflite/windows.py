"""Windows that slide over an image: what of their padding TFLite does itself, and what is padded before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .graph import Tensor
from .reading import Node
from .scope import Scope

SAME, VALID = 0, 1


@dataclass(frozen=True)
class Windows:
    """Of the spatial axes. `before` and `after`: places added at each end."""

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def is_same(self) -> bool:
        """Whether the padding is what TFLite calls SAME."""
        for axis, place in enumerate(self.size):
            stride, reach = self.strides[axis], self.reach(axis)
            total = max((-(-place // stride) - 1) * stride + reach - place, 0)
            if (self.before[axis], self.after[axis]) != (total // 2, total - total // 2):
                return False
        return True

    def is_valid(self) -> bool:
        return not any(self.before) and not any(self.after)

    def reach(self, axis: int) -> int:
        return (self.kernel[axis] - 1) * self.dilations[axis] + 1

    @property
    def mode(self) -> int:
        return SAME if not self.is_valid() and self.is_same() else VALID

    @property
    def needs_padding(self) -> bool:
        return not self.is_valid() and not self.is_same()


def windows(node: Node, size: Sequence[int], kernel: Sequence[int], out: Sequence[int]) -> Windows:
    """`size` and `out`: of the image before and after, without batch and channels."""
    rank = len(size)
    strides = tuple(node.get("strides") or [1] * rank)
    dilations = tuple(node.get("dilations") or [1] * rank)
    pads = list(node.get("pads") or [0] * (2 * rank))
    automatic = node.get("auto_pad", "NOTSET")
    before, after = pads[:rank], pads[rank:]
    for axis in range(rank):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            total = max((out[axis] - 1) * strides[axis] + reach - size[axis], 0)
            half = total // 2
            before[axis], after[axis] = (half, total - half) if automatic == "SAME_UPPER" else (total - half, half)
        elif automatic == "VALID":
            before[axis] = after[axis] = 0
        # ceil_mode: windows that begin within the image and end beyond its padding
        short = (out[axis] - 1) * strides[axis] + reach - (size[axis] + before[axis] + after[axis])
        if node.get("ceil_mode", 0) and short > 0:
            after[axis] += short
    return Windows(tuple(size), tuple(kernel), strides, dilations, tuple(before), tuple(after))


def padded(s: Scope, tensor: Tensor, before: Sequence[int], after: Sequence[int], lowest: bool, name: str) -> Tensor:
    """With places around the image (axes 1 and 2) that hold zero, or the lowest value there is."""
    pads = [(0, 0), *zip(before, after, strict=True), (0, 0)]
    shape = [dim + sum(pad) for dim, pad in zip(tensor.shape, pads, strict=True)]
    inputs: list[Tensor | None] = [tensor, s.ints(name + "/pads", np.array(pads))]
    if lowest:
        value = np.asarray(-128 if tensor.quant is not None else np.finfo(np.float32).min, tensor.dtype)
        inputs.append(s.store(name + "/lowest", value, tensor.quant))
    return s.emit("PADV2" if lowest else "PAD", inputs, shape, tensor.dtype, name=name, quant=tensor.quant)
