"""Padding of sliding windows. Dims are those of the file: None where free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .reading import Operator

PADDINGS = ("SAME", "VALID")


def padding(op: Operator) -> str:
    if op.options["padding"] not in (0, 1):
        raise op.refuse(f"has the padding number {op.options['padding']}")
    return PADDINGS[op.options["padding"]]


def strides(op: Operator, names: Sequence[str] = ("stride_h", "stride_w")) -> list[int]:
    found = [int(op.options[name]) for name in names]
    if min(found) < 1:
        raise op.refuse(f"has the strides {found}")
    return found


def pads(
    op: Operator, sizes: Sequence[int | None], kernel: Sequence[int], steps: Sequence[int], dilations: Sequence[int]
) -> dict[str, Any]:
    """ONNX attributes. SAME: the output has ceil(size / step) elements; an odd zero is added behind."""
    if padding(op) == "VALID":
        return {"pads": [0] * (2 * len(sizes))}
    before, after = [], []
    for size, width, step, dilation in zip(sizes, kernel, steps, dilations, strict=True):
        if size is None:
            if any(each != 1 for each in dilations):
                raise op.refuse("is dilated and pads a free dim", hint="fix the input's shape: --shape")
            return {"auto_pad": "SAME_UPPER"}
        total = max((-(-size // step) - 1) * step + (width - 1) * dilation + 1 - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return {"pads": [*before, *after]}
