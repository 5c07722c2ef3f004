"""Convolution and its transpose, in one to three spatial dims and in both layouts."""

from __future__ import annotations

from typing import Any

from .converter import Converter
from .nets import Operator
from .spatial import per_dim, read_window
from .table import converts


@converts("Conv", "Conv1D", "Conv2D", "Conv3D")
def _conv(converter: Converter, op: Operator) -> None:
    weight = converter.value(op, 1)
    bias = [converter.value(op, 2)] if len(op.inputs) > 2 else []
    convolve(converter, op, converter.value(op, 0), weight, bias)


def convolve(converter: Converter, op: Operator, x: str, weight: str, bias: list[str]) -> None:
    """Weights [M, C/group, *kernel], or [M, *kernel, C/group] with the channels last. Writes the output."""
    last = converter.channels_last(op)
    op.args.ignore("no_bias")
    if last:
        x, weight = converter.to_first(op, x), converter.to_first(op, weight)
    shape, kernel = converter.shape(x), converter.shape(weight)
    if shape is None or kernel is None or len(shape) != len(kernel) or len(shape) < 3:
        raise converter.bad(op, f"an input of the shape {shape} and weights of the shape {kernel}")
    window = read_window(converter, op, list(shape[2:]), [int(dim or 0) for dim in kernel[2:]])
    attributes: dict[str, Any] = {
        "kernel_shape": window.kernel,
        "strides": window.strides,
        "dilations": window.dilations,
        "pads": window.pads,
        "group": op.args.integer("group", 1),
    }
    if last:
        made = converter.emit(op, "Conv", [x, weight, *bias], **attributes)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "Conv", [x, weight, *bias], **attributes)


@converts("ConvTranspose")
def _conv_transpose(converter: Converter, op: Operator) -> None:
    weight = converter.value(op, 1)
    bias = [converter.value(op, 2)] if len(op.inputs) > 2 else []
    deconvolve(converter, op, converter.value(op, 0), weight, bias)


def deconvolve(converter: Converter, op: Operator, x: str, weight: str, bias: list[str]) -> None:
    """Weights [C, M, *kernel], or [C, *kernel, M] with the channels last."""
    last = converter.channels_last(op)
    op.args.ignore("no_bias")
    if last:
        x, weight = converter.to_first(op, x), converter.to_first(op, weight)
    shape, kernel = converter.shape(x), converter.shape(weight)
    if shape is None or kernel is None or len(shape) != len(kernel) or len(shape) < 3:
        raise converter.bad(op, f"an input of the shape {shape} and weights of the shape {kernel}")
    sizes = list(shape[2:])
    window = read_window(converter, op, sizes, [int(dim or 0) for dim in kernel[2:]], True)
    if any(each != 1 for each in window.dilations):
        raise converter.unsupported(op, "a dilated transposed convolution")
    attributes: dict[str, Any] = {
        "kernel_shape": window.kernel,
        "strides": window.strides,
        "pads": window.pads,
        "output_padding": per_dim(converter, op, "adj", len(sizes), 0),
        "group": op.args.integer("group", 1),
    }
    if last:
        made = converter.emit(op, "ConvTranspose", [x, weight, *bias], **attributes)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "ConvTranspose", [x, weight, *bias], **attributes)
