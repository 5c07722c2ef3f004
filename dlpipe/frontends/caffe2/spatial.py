"""Kernels, strides and padding as Caffe2's convolution and pooling operators write them."""

from __future__ import annotations

from dataclasses import dataclass

from ..kit.shaped import Dim
from .converter import Converter
from .nets import Operator

_NOTSET, _VALID, _SAME, _CAFFE = 0, 1, 2, 3  # StoragePadding of Caffe2: LegacyPadding
_SIDES = {
    "kernel": ("kernel_h", "kernel_w"),
    "stride": ("stride_h", "stride_w"),
    "dilation": ("dilation_h", "dilation_w"),
    "adj": ("adj_h", "adj_w"),
}


@dataclass
class Window:
    """Per spatial dim. `pads`: all begins, then all ends, as ONNX has them. `ceil`: the output size is rounded up."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int]
    ceil: bool = False


def read_window(
    converter: Converter, op: Operator, sizes: list[Dim], kernel: list[int] | None = None, transposed: bool = False
) -> Window:
    """sizes: the spatial dims of the input. kernel: where the weights tell it."""
    rank = len(sizes)
    stated = per_dim(converter, op, "kernel", rank, 0)
    if kernel is None:
        kernel = stated
    elif any(stated) and stated != kernel:
        raise converter.bad(op, f"the kernel is said to be {stated}, and the weights are {kernel}")
    strides = per_dim(converter, op, "stride", rank, 1)
    dilations = per_dim(converter, op, "dilation", rank, 1)
    if any(each < 1 for each in (*kernel, *strides, *dilations)):
        raise converter.bad(op, f"a kernel of {kernel}, strides of {strides}, dilations of {dilations}")
    window = Window(kernel, strides, dilations, _pads(converter, op, rank))
    legacy = op.args.integer("legacy_pad", _NOTSET)
    if legacy == _VALID:
        window.pads = [0] * (2 * rank)
    elif legacy == _SAME:
        if transposed:
            raise converter.unsupported(op, "legacy_pad on a transposed convolution")
        _same(converter, op, window, sizes)
    elif legacy == _CAFFE:
        _as_caffe(window, sizes)
    elif legacy != _NOTSET:
        raise converter.unsupported(op, f"legacy_pad = {legacy}")
    return window


def per_dim(converter: Converter, op: Operator, name: str, rank: int, default: int) -> list[int]:
    """`kernels=[3, 5]`, `kernel_h=3, kernel_w=5` or `kernel=3`, in this order."""
    listed = op.args.integers(f"{name}s")
    sides = _SIDES[name]
    apart = [op.args.integer(side, -1) for side in sides]
    single = op.args.integer(name, -1)
    if listed:
        if len(listed) != rank:
            raise converter.bad(op, f"{name}s has {len(listed)} numbers for {rank} spatial dims")
        return listed
    if any(each >= 0 for each in apart) and rank == 2:
        return [each if each >= 0 else default for each in apart]
    return [single if single >= 0 else default] * rank


def _pads(converter: Converter, op: Operator, rank: int) -> list[int]:
    listed = op.args.integers("pads")
    sides = [op.args.integer(f"pad_{side}", -1) for side in "tlbr"]
    single = op.args.integer("pad", 0)
    if listed:
        if len(listed) != 2 * rank:
            raise converter.bad(op, f"pads has {len(listed)} numbers for {rank} spatial dims")
        return listed
    if any(each >= 0 for each in sides) and rank == 2:
        return [max(each, 0) for each in sides]
    return [single] * (2 * rank)


def _same(converter: Converter, op: Operator, window: Window, sizes: list[Dim]) -> None:
    rank = len(sizes)
    for index, size in enumerate(sizes):
        if not isinstance(size, int):
            raise converter.unsupported(op, "padding that depends on the input's size, which has to be given: --input")
        extent = window.dilations[index] * (window.kernel[index] - 1) + 1
        made = -(-size // window.strides[index])
        needed = max(0, (made - 1) * window.strides[index] + extent - size)
        window.pads[index], window.pads[rank + index] = needed // 2, needed - needed // 2


def _as_caffe(window: Window, sizes: list[Dim]) -> None:
    """Output sizes rounded up as Caffe's pooling does, by padding at the end; a window that would begin in that
    padding is dropped."""
    rank = len(sizes)
    if not all(isinstance(size, int) for size in sizes):
        window.ceil = True
        return
    for index, size in enumerate(sizes):
        assert isinstance(size, int)
        stride, pad = window.strides[index], window.pads[index]
        extent = window.dilations[index] * (window.kernel[index] - 1) + 1
        made = -(-(size + 2 * pad - extent) // stride) + 1
        if pad > 0 and (made - 1) * stride >= size + pad:
            made -= 1
        window.pads[rank + index] = max(pad, (made - 1) * stride + extent - size - pad)
