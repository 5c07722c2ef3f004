"""Windows that take a maximum, a sum or a mean. They may slide along any dim, the channels as well."""

from __future__ import annotations

from typing import Any

from .convolving import undone
from .step import Absent, Step, Tensor, handles
from .windows import (
    BORDERS,
    Turned,
    Window,
    area,
    bordered_input,
    chosen,
    ones,
    onnx_pads,
    read_pads,
    read_window,
    sliding,
    turn,
)

_INDEX = "the index of a maximum, which NNEF and ONNX count in different ways"


@handles("max_pool")
def _max_pool(step: Step) -> Tensor:
    return step.result("Identity", [pool(step, "MaxPool", step.tensor("input"))])


@handles("max_pool_with_index", limits="without the index")
def _max_pool_with_index(step: Step) -> tuple[Tensor, Absent]:
    return step.result("Identity", [pool(step, "MaxPool", step.tensor("input"))]), Absent(_INDEX)


@handles("avg_pool", "box")
def _average(step: Step) -> Tensor:
    normalised = step.op == "avg_pool" or step.flag("normalize")
    return step.result("Identity", [average(step, step.tensor("input"), normalised=normalised)])


@handles("rms_pool")
def _rms(step: Step) -> Tensor:
    value = step.tensor("input")
    return step.result("Sqrt", [average(step, step.emit("Mul", [value, value]))])


@handles("area_downsample")
def _area_downsample(step: Step) -> Tensor:
    value, factor = step.tensor("input"), step.integers("factor")
    if len(factor) != step.rank(value) - 2:
        step.fail(f"factors {factor} for a tensor of {step.rank(value)} dims")
    window = Window(factor, factor, [1] * len(factor))
    return step.result("AveragePool", [value], kernel_shape=window.size, strides=window.stride)


def average(step: Step, value: Tensor, *, normalised: bool = True) -> Tensor:
    """A mean; a sum where it is not normalised."""
    return pool(step, "AveragePool" if normalised else "Sum", value)


def pool(step: Step, op: str, value: Tensor) -> Tensor:
    """op: MaxPool, AveragePool or Sum. A border of 'ignore' has no part in it, any other has."""
    size = step.integers("size")
    if len(size) != step.rank(value):
        step.fail(f"a window of {len(size)} dims on a tensor of {step.rank(value)}")
    window = read_window(step, size)
    pads = read_pads(step, value, 0, window)
    border = step.choice("border", *BORDERS)
    axes = sliding(window, pads)
    if not axes:
        return value
    turned = turn(step, value, axes)
    window, pads = chosen(window, axes), [pads[axis] for axis in axes]
    found = pooled(step, op, turned.value, window, pads, border)
    return turned.undo(step, found)


def pooled(step: Step, op: str, value: Tensor, window: Window, pads: list[tuple[int, int]], border: str) -> Tensor:
    """Along the last dims."""
    more = step.rank(value) - 2 - len(pads)  # ONNX's windows have all dims but two
    window = Window([1] * more + window.size, [1] * more + window.stride, [1] * more + window.dilation)
    pads = [(0, 0)] * more + pads
    if border == "ignore" and op == "MaxPool":
        outside, kind = float("-inf"), "constant"
    else:
        outside, kind = 0.0, "constant" if border == "ignore" else border
    counted = border != "ignore"
    strange = any(not 0 <= each < size for pair, size in zip(pads, window.size, strict=True) for each in pair)
    if any(map(any, pads)) and (
        (counted and (op == "MaxPool" or kind != "constant")) or (strange and (counted or op != "AveragePool"))
    ):
        value = bordered_input(step, value, pads, kind, outside)
        pads = [(0, 0)] * len(pads)
        if op == "MaxPool":
            return _apart(step, value, window)
    elif strange and any(map(any, pads)):
        step.fail(f"a padding of {pads} around windows of {window.size}", "unsupported")
    shared: dict[str, Any] = {"kernel_shape": window.size, "strides": window.stride, "pads": onnx_pads(pads)}
    if op == "MaxPool":
        return step.emit("MaxPool", [value], **shared, dilations=window.dilation)
    given = window.dilation if any(each != 1 for each in window.dilation) else None
    # A sum is a mean that counts the zeros of the border, times the number of elements.
    include = int(op == "Sum" or counted)
    mean = step.emit("AveragePool", [value], **shared, dilations=given, count_include_pad=include)
    return step.binary("Mul", mean, float(area(window))) if op == "Sum" else mean


def _apart(step: Step, value: Tensor, window: Window) -> Tensor:
    """The maximum over what was padded, with a dim put in between: ONNX Runtime 1.31 makes one node of a Pad and a
    MaxPool that follow each other, and forgets that the padded zeros take part."""
    made = step.emit(
        "MaxPool",
        [step.unsqueeze(value, [2])],
        kernel_shape=[1, *window.size],
        strides=[1, *window.stride],
        dilations=[1, *window.dilation],
    )
    return step.emit("Squeeze", [made, step.ints([2])])


@handles("debox", limits="border 'constant' where it is normalised")
def _debox(step: Step) -> Tensor:
    """Every element is spread over the window, and what overlaps is added."""
    value = step.tensor("input")
    size = step.integers("size")
    if len(size) != step.rank(value):
        step.fail(f"a window of {len(size)} dims on a tensor of {step.rank(value)}")
    window = read_window(step, size)
    border = step.choice("border", "constant", "ignore")
    if step.flag("normalize") and border == "ignore":
        step.fail("a mean that ignores the border, undone", "unsupported")
    pads, extra = undone(step, value, window, 0)
    axes = [axis for axis in range(len(size)) if sliding(window, pads).count(axis) or extra[axis]]
    if not axes:
        return step.result("Identity", [value])
    turned = turn(step, value, axes)
    inner = chosen(window, axes)
    found = _spread(step, turned, inner, [pads[axis] for axis in axes], [extra[axis] for axis in axes])
    if step.flag("normalize"):
        found = step.binary("Div", found, float(area(window)))
    return step.result("Identity", [turned.undo(step, found)])


def _spread(step: Step, turned: Turned, window: Window, pads: list[tuple[int, int]], extra: list[int]) -> Tensor:
    """All dims but the last ones as one batch, each by itself."""
    rank, count = step.rank(turned.value), len(window.size)
    whole = step.sizes(turned.value, range(rank))
    flat = step.reshape(turned.value, [-1, 1, *whole[rank - count :]])
    spread = step.emit(
        "ConvTranspose",
        [flat, ones(step, window)],
        kernel_shape=window.size,
        strides=window.stride,
        dilations=window.dilation,
        pads=onnx_pads(pads),
        output_padding=extra if any(extra) else None,
    )
    sizes = step.sizes(spread, range(2, 2 + count))
    return step.reshape(spread, [*whole[: rank - count], *sizes])
