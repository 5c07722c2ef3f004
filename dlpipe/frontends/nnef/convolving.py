"""Convolutions and what undoes them."""

from __future__ import annotations

import numpy as np

from .shaping import padding
from .step import Step, Tensor, handles
from .windows import Pads, Window, bordered_input, onnx_pads, read_pads, read_window


@handles("conv", limits="up to three spatial dims in ONNX Runtime")
def _conv(step: Step) -> Tensor:
    value = step.tensor("input")
    made = convolve(step, value, step.tensor("filter", value), step.args["bias"], step.integer("groups"))
    return step.result("Identity", [made])


@handles("separable_conv")
def _separable_conv(step: Step) -> Tensor:
    value = step.tensor("input")
    plane = convolve(step, value, step.tensor("plane_filter"), 0.0, 0)
    made = convolve(step, plane, step.tensor("point_filter"), step.args["bias"], step.integer("groups"), pointwise=True)
    return step.result("Identity", [made])


def convolve(step: Step, value: Tensor, kernel: Tensor, bias: object, groups: int, pointwise: bool = False) -> Tensor:
    """groups 0: one per channel. pointwise: with neither padding nor stride."""
    size = _kernel_size(step, value, kernel)
    window = Window(size, [1] * len(size), [1] * len(size)) if pointwise else read_window(step, size)
    pads: Pads = [(0, 0)] * len(size) if pointwise else read_pads(step, value, 2, window)
    border = step.choice("border", "constant", "ignore", "replicate", "reflect", "reflect-even")
    if (border not in ("constant", "ignore") or min(map(min, pads), default=0) < 0) and any(map(any, pads)):
        value = bordered_input(step, value, pads, "constant" if border == "ignore" else border, 0.0)
        pads = [(0, 0)] * len(size)
    filters, (channels,) = step.sizes(kernel, [0])[0], step.sizes(value, [1])
    inputs = [value, kernel, *_bias(step, bias, filters, value)]
    return step.emit(
        "Conv",
        inputs,
        kernel_shape=size,
        strides=window.stride,
        dilations=window.dilation,
        pads=onnx_pads(pads),
        group=groups or channels,
    )


@handles("deconv", limits="border 'constant'; up to three spatial dims in ONNX Runtime")
def _deconv(step: Step) -> Tensor:
    value = step.tensor("input")
    made = deconvolve(step, value, step.tensor("filter", value), step.args["bias"], step.integer("groups"))
    return step.result("Identity", [made])


@handles("separable_deconv", limits="border 'constant'")
def _separable_deconv(step: Step) -> Tensor:
    value = step.tensor("input")
    point = step.tensor("point_filter")
    filtered = deconvolve(step, value, point, 0.0, step.integer("groups"), pointwise=True)
    made = deconvolve(step, filtered, step.tensor("plane_filter"), step.args["bias"], 0)
    return step.result("Identity", [made])


def deconvolve(step: Step, value: Tensor, kernel: Tensor, bias: object, groups: int, pointwise: bool = False) -> Tensor:
    size = _kernel_size(step, value, kernel)
    count = len(size)
    window = Window(size, [1] * count, [1] * count) if pointwise else read_window(step, size)
    if step.args["border"] not in ("constant", "ignore"):
        step.fail(f"the border {step.args['border']!r}", "unsupported", hint="ONNX has zeros there")
    pads, extra = ([(0, 0)] * count, [0] * count) if pointwise else undone(step, value, window, 2)
    channels = step.sizes(kernel, [0, 1])
    groups = groups or channels[0]
    filters = channels[1] * groups
    return step.emit(
        "ConvTranspose",
        [value, kernel, *_bias(step, bias, filters, value)],
        kernel_shape=size,
        strides=window.stride,
        dilations=window.dilation,
        pads=onnx_pads(pads),
        output_padding=extra if any(extra) else None,
        group=groups,
    )


def undone(step: Step, value: Tensor, window: Window, first: int) -> tuple[Pads, list[int]]:
    """Padding of the transposed window on the dims from `first` on, and how much longer its result is at the end.

    An output shape that is not given is the input's times the stride where the padding is automatic, and what the
    padding leaves where it is not.
    """
    count = len(window.size)
    asked = step.integers("output_shape")
    if asked and len(asked) not in (count, count + first):
        step.fail(f"its output_shape is {asked}, for {count} dims")
    asked = asked[-count:] if asked else []
    automatic = step.args["padding"] == []
    given = None if automatic else padding(step, count)
    if given is not None and not asked:
        return given, [0] * count
    pads: Pads = []
    extra = []
    for axis, (size, span, stride) in enumerate(
        zip(step.sizes(value, range(first, first + count)), window.spans, window.stride, strict=True)
    ):
        wanted = asked[axis] if asked else size * stride
        whole = (size - 1) * stride + span
        before, after = given[axis] if given else ((each := max(whole - wanted, 0)) // 2, each - each // 2)
        longer = wanted - (whole - before - after)
        if not 0 <= longer < max(stride, window.dilation[axis]):
            step.fail(f"{size} elements cannot come from {wanted} by this window")
        pads.append((before, after))
        extra.append(longer)
    return pads, extra


def _kernel_size(step: Step, value: Tensor, kernel: Tensor) -> list[int]:
    rank = step.rank(value)
    if rank < 3 or step.rank(kernel) != rank:
        step.fail(f"a filter of {step.rank(kernel)} dims for a tensor of {rank}")
    return step.sizes(kernel, range(2, rank))


def _bias(step: Step, bias: object, filters: int, like: Tensor) -> list[Tensor]:
    """One number per filter: NNEF has [1, filters], one number, or none."""
    if not isinstance(bias, Tensor) and bias == 0.0:
        return []
    tensor = step.tensor(bias, like)
    array = step.graph.array(tensor.name)
    if array is not None:
        if array.size not in (1, filters):
            step.fail(f"a bias of the shape {list(array.shape)} for {filters} filters")
        return [step.constant(np.broadcast_to(array.reshape(-1), filters), f"{tensor.name}_vector")]
    return [step.reshape(tensor, [filters])]
