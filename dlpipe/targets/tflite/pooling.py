"""Pools."""

import numpy as np

from .channels_last import bind_image, image
from .graph import Array
from .handlers import handles
from .reading import Node
from .scope import ACTIVATIONS, Scope
from .windows import Windows, padded, windows


@handles("MaxPool", "AveragePool")
def _pool(s: Scope, node: Node) -> None:
    if len(node.outputs) > 1 and node.outputs[1]:
        raise node.refuse("also tells where the greatest values were, which TFLite does not")
    highest = node.op == "MaxPool"
    tail = s.tail(node)
    given = s.value(node.inputs[0])
    integers = given.is_int8 and (highest or tail.quant is not None)
    made_of = given if integers else s.real(node.inputs[0])
    rank, name, out = len(given.order), node.outputs[0], s.shape(node.outputs[0])
    if rank not in (3, 4) or any(each != 1 for each in node.get("dilations") or [1]):
        raise node.refuse("TFLite pools without dilations, over 1 or 2 axes")
    tensor = image(s, made_of, name + "/image")
    kernel = tuple(node.get("kernel_shape"))
    around = windows(node, tensor.shape[1:3] if rank == 4 else tensor.shape[2:3], kernel, out[2:])
    if rank == 3:
        around = Windows(
            tensor.shape[1:3], (1, *kernel), (1, *around.strides), (1, 1), (0, *around.before), (0, *around.after)
        )
    shares = None
    if around.needs_padding or (not highest and not around.is_valid() and node.get("count_include_pad", 0)):
        if not highest and (not node.get("count_include_pad", 0) or node.get("ceil_mode", 0)):
            shares = _shares(around, tensor.shape[1:3], bool(node.get("count_include_pad", 0)), node)
        tensor = padded(s, tensor, around.before, around.after, highest, name + "/padded")
        around = Windows(tensor.shape[1:3], around.kernel, around.strides, around.dilations, (0, 0), (0, 0))
    if shares is not None and integers:
        raise node.refuse("divides by fewer places at the edges, and its padding is not what TFLite calls SAME")
    shape = (out[0], *((1,) if rank == 3 else ()), *out[2:], out[1])
    activation = ACTIVATIONS[tail.activation] if shares is None else 0
    made = s.emit(
        "MAX_POOL_2D" if highest else "AVERAGE_POOL_2D",
        [tensor],
        shape,
        tensor.dtype,
        name=name,
        quant=tensor.quant,
        padding=around.mode,
        strideH=around.strides[0],
        strideW=around.strides[1],
        filterHeight=around.kernel[0],
        filterWidth=around.kernel[1],
        fusedActivationFunction=activation,
    )
    if shares is not None:
        made = s.emit(
            "MUL", [made, s.store(name + "/shares", shares)], shape, "float32", name=name + "/scaled",
            fusedActivationFunction=ACTIVATIONS[tail.activation],
        )  # fmt: skip
    if integers and tail.quant is not None:
        made = s.rounded(made, tail.quant)
    bind_image(s, tail if integers else s.unrounded(tail), made, rank)


def _shares(around: Windows, size: tuple[int, ...], with_padding: bool, node: Node) -> Array:
    """By what an average over whole windows is to be multiplied, at each place: windows / (places that count)."""
    counts = []
    for axis in range(2):
        inside = np.zeros(size[axis] + around.before[axis] + around.after[axis])
        first = 0 if with_padding else around.before[axis]
        pads = node.get("pads") or [0] * 4
        last = len(inside) if not with_padding else around.before[axis] + size[axis] + pads[len(pads) // 2 + axis]
        inside[first : last if with_padding else first + size[axis]] = 1
        starts = range(0, len(inside) - around.kernel[axis] + 1, around.strides[axis])
        counts.append(np.array([inside[start : start + around.kernel[axis]].sum() for start in starts]))
    places = counts[0][:, None] * counts[1][None, :]
    shares: Array = (np.prod(around.kernel) / places).astype(np.float32)
    return shares[None, :, :, None]


@handles("GlobalAveragePool", "GlobalMaxPool")
def _global(s: Scope, node: Node) -> None:
    given, tail = s.value(node.inputs[0]), s.tail(node, fused=False)
    highest = node.op == "GlobalMaxPool"
    integers = given.is_int8 and (highest or tail.quant is not None)
    value = given if integers else s.real(node.inputs[0])
    axes = [value.order[axis] for axis in range(2, len(value.order))]
    shape = [1 if axis in axes else dim for axis, dim in enumerate(value.tensor.shape)]
    quant = (value.tensor.quant if highest else tail.quant) if integers else None
    name = node.outputs[0]
    made = s.emit(
        "REDUCE_MAX" if highest else "MEAN",
        [value.tensor, s.ints(name + "/axes", sorted(axes))],
        shape,
        value.tensor.dtype,
        name=name,
        quant=quant,
        keepDims=True,
    )
    if integers and highest:
        s.bind(name, made, value.order)
        return
    s.bind_tail(tail if integers else s.unrounded(tail), made, value.order)
