"""Pooling: over windows, over the whole picture, or to a given size."""

from __future__ import annotations

import numpy as np

from ..step import Step, layer
from .convolving import pair

MAX, AVERAGE = 0, 1
_LOWEST = float(np.finfo(np.float32).min)


@layer("Pooling", limits="no adaptive maximum over windows of different sizes")
def _pooling(step: Step) -> None:
    step.expect()
    kind = step.layer.integer(0)
    if kind not in (MAX, AVERAGE):
        step.fail(f"its kind is {kind}")
    step.rank(3)
    if step.layer.integer(4):
        for unused in (1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 15, 18):
            step.layer.asked.add(unused)
        made = step.node("GlobalMaxPool" if kind == MAX else "GlobalAveragePool", [step.value])
        step.out("Flatten", [made], axis=1)
    elif step.layer.integer(7):
        for unused in (1, 2, 3, 5, 6, 11, 12, 13, 14, 15):
            step.layer.asked.add(unused)
        _adaptive(step, kind)
    else:
        _windows(step, kind)


def _windows(step: Step, kind: int) -> None:
    kernel, stride = pair(step, 1, 11, 0), pair(step, 2, 12, 1)
    left = step.layer.integer(3)
    top = step.layer.integer(13, left)
    pads = [top, left, step.layer.integer(15, top), step.layer.integer(14, left)]
    mode, count_pads = step.layer.integer(5), step.layer.integer(6)
    if not 0 <= mode <= 3 or (mode < 2 and min(pads) < 0):
        step.unsupported(f"its padding is {pads} in the mode {mode}")
    if mode >= 2:
        if kind == AVERAGE and any(pads):
            step.unsupported("it has paddings and finds its own")
        pads, count_pads = [0, 0, 0, 0], 1  # ncnn's averages leave out only the paddings that the file says
    ceil = 0
    for axis in range(2):
        size = step.shape()[1 + axis]
        if not isinstance(size, int):
            if mode >= 2 or (mode == 0 and count_pads and kind == AVERAGE and stride[axis] > 1):
                step.size(size)
            ceil |= int(mode == 0 and stride[axis] > 1)
            continue
        if mode == 0:
            pads[2 + axis] += -(size + pads[axis] + pads[2 + axis] - kernel[axis]) % stride[axis]
        elif mode >= 2:
            over = max(0, kernel[axis] + (size - 1) // stride[axis] * stride[axis] - size)
            small, large = over // 2, over - over // 2
            pads[axis], pads[2 + axis] = (small, large) if mode == 2 else (large, small)
    value = step.value
    outside = any(pads[at] >= kernel[at % 2] for at in range(4))
    if (kind == AVERAGE and count_pads and any(pads)) or outside:
        if outside and kind == AVERAGE and not count_pads:
            step.unsupported("some of its windows lie outside the picture")
        amounts = step.ints([0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]], "pads")
        value = step.node("Pad", [value, amounts, step.number(_LOWEST if kind == MAX else 0.0, "fill")])
        pads = [0, 0, 0, 0]
    operator = "MaxPool" if kind == MAX else "AveragePool"
    step.out(operator, [value], kernel_shape=kernel, strides=stride, pads=pads, ceil_mode=ceil or None)


def _adaptive(step: Step, kind: int) -> None:
    across = step.layer.integer(8)
    asked = [step.layer.integer(18, across), across]
    given = step.shape()[1:]
    wanted = [size if ask == -233 else ask for size, ask in zip(given, asked, strict=True)]
    if wanted == [1, 1]:
        step.out("GlobalMaxPool" if kind == MAX else "GlobalAveragePool", [step.value])
        return
    sizes = [step.size(each) for each in given]
    bins = [step.size(each) for each in wanted]
    if min(bins) < 1 or max(bins) > 4096 or max(sizes) > 4096:
        step.fail(f"it makes {bins} of {sizes}")
    if all(size % count == 0 for size, count in zip(sizes, bins, strict=True)):
        window = [size // count for size, count in zip(sizes, bins, strict=True)]
        step.out("MaxPool" if kind == MAX else "AveragePool", [step.value], kernel_shape=window, strides=window)
        return
    if kind == MAX:
        step.unsupported(f"the greatest of windows of different sizes ({sizes} to {bins})")
    rows, columns = (_shares(size, count) for size, count in zip(sizes, bins, strict=True))
    made = step.node("MatMul", [step.constant(rows, "rows"), step.value])
    step.out("MatMul", [made, step.constant(columns.T.copy(), "columns")])


def _shares(size: int, count: int) -> np.ndarray:
    """[count, size]: what each number contributes to each average."""
    found = np.zeros([count, size], np.float32)
    for index in range(count):
        start, end = size * index // count, -(-size * (index + 1) // count)
        found[index, start:end] = 1.0 / (end - start)
    return found
