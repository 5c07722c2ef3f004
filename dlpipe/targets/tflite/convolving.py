"""Convolutions."""

import numpy as np

from .channels_last import NHWC, bind_image, image
from .graph import Array, Quant, Tensor
from .handlers import handles
from .reading import Node
from .scope import ACTIVATIONS, Scope
from .weights import bias_levels, per_channel
from .windows import Windows, padded, windows


@handles("Conv")
def _conv(s: Scope, node: Node) -> None:
    given = s.value(node.inputs[0])
    rank, group = len(given.order), node.get("group", 1)
    if rank not in (3, 4):
        raise node.refuse(f"slides over {rank - 2} axes, and 1 or 2 are taken here")
    weights, tail = s.weights.get(node.inputs[1]), s.tail(node)
    integers = given.is_int8 and weights is not None and tail.quant is not None and per_channel(weights, 0)
    filters = weights.levels if integers and weights is not None else s.needed(node, 1, "its filter")
    if rank == 3:
        filters = filters[:, :, None, :]
    made_of = given if integers else s.real(node.inputs[0])
    name = node.outputs[0]
    tensor = image(s, made_of, name + "/image")
    channels = tensor.shape[3]
    around = _windows(node, tensor, filters, s.shape(node.outputs[0]), rank)
    if around.needs_padding:
        tensor = padded(s, tensor, around.before, around.after, False, name + "/padded")
        around = Windows(tensor.shape[1:3], around.kernel, around.strides, around.dilations, (0, 0), (0, 0))
    depthwise = group == channels and group > 1
    kept = filters.transpose(1, 2, 3, 0) if depthwise else filters.transpose(0, 2, 3, 1)
    axis, count = (3 if depthwise else 0), filters.shape[0]
    if integers and weights is not None and tensor.quant is not None:
        scale = np.broadcast_to(weights.scale, (count,))
        steps = scale.astype(np.float64) * tensor.quant.scale[0]
        filter_ = s.store(node.inputs[1], kept, Quant.each(scale, axis))
        levels = bias_levels(s, node, 2, steps, count)
        bias = s.store(name + "/bias", levels, Quant.each(steps))
    else:
        filter_ = s.store(node.inputs[1], kept.astype(np.float32))
        given_bias = s.maybe(node, 2, "its bias")
        bias = s.store(
            name + "/bias", np.zeros(count, np.float32) if given_bias is None else given_bias.astype(np.float32)
        )
    out = s.shape(node.outputs[0])
    shape = (out[0], *((1,) if rank == 3 else ()), *out[2:], out[1])
    options = {"depthMultiplier": count // channels} if depthwise else {}
    made = s.emit(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        [tensor, filter_, bias],
        shape,
        "int8" if integers else "float32",
        name=name,
        quant=tail.quant if integers else None,
        fusedActivationFunction=ACTIVATIONS[tail.activation],
        padding=around.mode,
        strideH=around.strides[0],
        strideW=around.strides[1],
        dilationHFactor=around.dilations[0],
        dilationWFactor=around.dilations[1],
        **options,
    )
    bind_image(s, tail if integers else s.unrounded(tail), made, rank)


def _windows(node: Node, tensor: Tensor, filters: Array, out: tuple[int, ...], rank: int) -> Windows:
    if rank == 4:
        return windows(node, tensor.shape[1:3], filters.shape[2:], out[2:])
    found = windows(node, tensor.shape[2:3], filters.shape[3:], out[2:])
    return Windows(
        tensor.shape[1:3],
        (1, *found.kernel),
        (found.strides[0], *found.strides),  # some kernels take no others
        (1, *found.dilations),
        (0, *found.before),
        (0, *found.after),
    )


@handles("ConvTranspose")
def _conv_transpose(s: Scope, node: Node) -> None:
    given = s.real(node.inputs[0])
    if len(given.order) != 4:
        raise node.refuse(f"slides over {len(given.order) - 2} axes, and 2 are taken here")
    if node.get("group", 1) != 1 or any(each != 1 for each in node.get("dilations") or [1]):
        raise node.refuse("has groups or dilations, which TRANSPOSE_CONV has not")
    filters = s.needed(node, 1, "its filter").astype(np.float32)
    tensor, name, out = s.laid(given, NHWC), node.outputs[0], s.shape(node.outputs[0])
    kernel, strides = filters.shape[2:], node.get("strides") or [1, 1]
    whole = [(size - 1) * stride + edge for size, stride, edge in zip(tensor.shape[1:3], strides, kernel, strict=True)]
    extra = [max(0, want - have) for want, have in zip(out[2:], whole, strict=True)]
    pads = node.get("pads") or [0, 0, 0, 0]
    automatic = node.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER") or node.get("output_shape"):
        total = [max(have - want, 0) for want, have in zip(out[2:], whole, strict=True)]
        pads = [each // 2 if automatic != "SAME_LOWER" else each - each // 2 for each in total]
    count = filters.shape[1]
    bias = s.maybe(node, 2, "its bias")
    inputs: list[Tensor | None] = [
        s.ints(name + "/size", [out[0], *whole, count]),
        s.store(node.inputs[1], filters.transpose(1, 2, 3, 0)),
        tensor,
    ]
    if bias is not None:
        inputs.append(s.store(name + "/bias", bias.astype(np.float32)))
    made = s.emit(
        "TRANSPOSE_CONV", inputs, (out[0], *whole, count), "float32", name=name + "/whole",
        padding=1, strideH=strides[0], strideW=strides[1],
    )  # fmt: skip
    if any(extra):
        if bias is not None:
            raise node.refuse("its output reaches beyond every window (output_padding), and has a bias")
        made = padded(s, made, (0, 0), extra, False, name + "/extended")
    if made.shape[1:3] != tuple(out[2:]):
        begin, size = s.ints(name + "/begin", [0, *pads[:2], 0]), s.ints(name + "/kept", [out[0], *out[2:], count])
        made = s.emit("SLICE", [made, begin, size], (out[0], *out[2:], count), "float32", name=name)
    s.bind(name, made, NHWC)
