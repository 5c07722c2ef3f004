"""Pooling, in one to three spatial dims and in both layouts."""

from __future__ import annotations

from typing import Any

from .converter import Converter
from .nets import Operator
from .spatial import read_window
from .table import converts

_KINDS = {
    "MaxPool": "Max", "MaxPool1D": "Max", "MaxPool2D": "Max", "MaxPool3D": "Max",
    "AveragePool": "Average", "AveragePool1D": "Average", "AveragePool2D": "Average", "AveragePool3D": "Average",
    "LpPool": "Lp",
}  # fmt: skip
_SIZES = (
    "kernel", "kernels", "kernel_h", "kernel_w", "stride", "strides", "stride_h", "stride_w", "pad", "pads", "pad_t",
    "pad_l", "pad_b", "pad_r", "legacy_pad", "dilation", "dilations", "dilation_h", "dilation_w",
)  # fmt: skip


@converts(*_KINDS)
def _pool(converter: Converter, op: Operator) -> None:
    pool(converter, op, converter.value(op, 0), _KINDS[op.type])


def pool(converter: Converter, op: Operator, x: str, kind: str) -> None:
    """kind: Max, Average or Lp. Writes the output."""
    last = converter.channels_last(op)
    if last:
        x = converter.to_first(op, x)
    name, attributes = _attributes(converter, op, x, kind)
    if last:
        made = converter.emit(op, name, [x], **attributes)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, name, [x], **attributes)


def _attributes(converter: Converter, op: Operator, x: str, kind: str) -> tuple[str, dict[str, Any]]:
    shape = converter.shape(x)
    if shape is None or len(shape) < 3:
        raise converter.bad(op, f"pools a value of the shape {shape}")
    lp = {"p": _power(converter, op)} if kind == "Lp" else {}
    includes = op.args.integer("count_include_pad", 0)
    if op.args.integer("global_pooling"):
        op.args.ignore(*_SIZES)
        return f"Global{kind}Pool", lp
    window = read_window(converter, op, list(shape[2:]))
    attributes: dict[str, Any] = {"kernel_shape": window.kernel, "strides": window.strides, "pads": window.pads, **lp}
    if any(each != 1 for each in window.dilations):
        if kind != "Max":
            raise converter.unsupported(op, "dilated pooling")
        attributes["dilations"] = window.dilations
    if window.ceil:
        attributes["ceil_mode"] = 1
    if kind == "Average":
        attributes["count_include_pad"] = includes
    return f"{kind}Pool", attributes


def _power(converter: Converter, op: Operator) -> int:
    power = op.args.number("p", 2.0)
    if not power.is_integer() or power < 1:
        raise converter.unsupported(op, f"an Lp pooling with p = {power}")
    return int(power)
