"""Tensors with their channels last, as the kernels of TFLite want them."""

from .graph import Tensor
from .scope import Order, Scope, Tail, Value

NHWC: Order = (0, 3, 1, 2)
_NWC: Order = (0, 2, 1)


def image(s: Scope, value: Value, name: str) -> Tensor:
    """Four axes, channels last; a row of places is an image of height 1."""
    if len(value.order) == 3:
        row = s.laid(value, _NWC)
        return s.reshaped(row, (row.shape[0], 1, *row.shape[1:]), name)
    return s.laid(value, NHWC)


def bind_image(s: Scope, tail: Tail, made: Tensor, rank: int) -> None:
    """What `image` was made into, with as many axes as ONNX has."""
    if rank == 3:
        made = s.reshaped(made, (made.shape[0], *made.shape[2:]), made.name)
    s.bind_tail(tail, made, NHWC if rank == 4 else _NWC)
