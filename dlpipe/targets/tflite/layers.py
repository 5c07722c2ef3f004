"""Convolutions, matrix products and pools: what has weights, and what slides windows."""

import numpy as np

from .graph import Array, Quant, Tensor
from .handlers import handles
from .reading import Node
from .scope import ACTIVATIONS, Order, Scope, Tail, Value, Weights, plain
from .windows import Windows, padded, windows

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


def per_channel(weights: Weights, axis: int) -> bool:
    """Whether TFLite's integer kernels take them: symmetric, one scale or one for each output channel."""
    return (
        not weights.zero.any() and (weights.scale.size == 1 or weights.axis == axis) and weights.levels.dtype == np.int8
    )


def bias_levels(s: Scope, node: Node, index: int, scale: Array, channels: int) -> Array:
    """The bias in int32, in steps of `scale`: input's times weights'."""
    name = node.inputs[index] if index < len(node.inputs) else ""
    stored = s.weights.get(name)
    exact = stored is not None and stored.levels.dtype == np.int32 and not stored.zero.any()
    if stored is not None and exact and np.allclose(stored.scale, scale, rtol=1e-5, atol=0):
        return stored.levels.reshape(-1)
    real = s.constant(name) if name else np.zeros(channels)
    if real is None:
        raise node.refuse("its bias is computed")
    steps = np.rint(np.broadcast_to(real.reshape(-1), (channels,)).astype(np.float64) / scale)
    return np.clip(steps, -(2**31), 2**31 - 1).astype(np.int32)


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


@handles("Gemm")
def _gemm(s: Scope, node: Node) -> None:
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    matrix = s.constant(node.inputs[1])
    if matrix is None or node.get("transA", 0):
        _computed_gemm(s, node, alpha, beta)
        return
    transposed = bool(node.get("transB", 0))
    bias = s.constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    added = len(node.inputs) > 2 and node.inputs[2] != ""
    count = matrix.shape[0 if transposed else 1]
    if added and (bias is None or bias.size not in (1, count) or (bias.size > 1 and bias.shape[-1] != count)):
        raise node.refuse("what it adds is computed, or differs from row to row")
    connect(s, node, 0 if transposed else 1, transposed, alpha, bias, beta, 2)


@handles("MatMul")
def _matmul(s: Scope, node: Node) -> None:
    matrix = s.constant(node.inputs[1])
    rank = len(s.shape(node.inputs[0]))
    if matrix is not None and matrix.ndim == 2 and rank >= 2 and s.constant(node.inputs[0]) is None:
        connect(s, node, 1, False, 1.0, None, 0.0, None)
        return
    _batched(s, node)


def connect(
    s: Scope, node: Node, axis: int, transposed: bool, alpha: float, bias: Array | None, beta: float, index: int | None
) -> None:
    """FULLY_CONNECTED. `axis`: of the outputs in the stored matrix; `index`: of the bias among the inputs."""
    given, weights, name = s.value(node.inputs[0]), s.weights.get(node.inputs[1]), node.outputs[0]
    target, extra = name, None
    if index is None:  # a bias that is added behind, in float
        extra, target = _added(s, name, s.shape(name)[-1])
    tail = s.tail(node, value=target)
    integers = given.is_int8 and weights is not None and tail.quant is not None and per_channel(weights, axis)
    integers = integers and alpha == 1.0 and beta in (0.0, 1.0)
    if integers and extra is not None:
        integers = False
    matrix = weights.levels if integers and weights is not None else s.needed(node, 1, "its matrix")
    kept = matrix if transposed else matrix.T
    value = given if integers else s.real(node.inputs[0])
    if value.shuffle is not None:
        kept = kept[:, value.shuffle]
    tensor = value.tensor if value.shuffle is not None else s.plainly(value)
    count, out = kept.shape[0], s.shape(name)
    if integers and weights is not None and tensor.quant is not None:
        scale = np.broadcast_to(weights.scale, (count,)) if weights.scale.size > 1 else weights.scale
        steps = scale.astype(np.float64) * tensor.quant.scale[0]
        stored = s.store(node.inputs[1], kept, Quant.each(scale))
        levels = bias_levels(s, node, index or 99, np.broadcast_to(steps, (count,)), count)
        added: Tensor | None = s.store(name + "/bias", levels, Quant.each(steps))
    else:
        stored = s.store(node.inputs[1], kept.astype(np.float32) * np.float32(alpha))
        sum_ = extra if extra is not None else None if bias is None else bias * np.float32(beta)
        added = None
        if sum_ is not None:
            added = s.store(name + "/bias", np.broadcast_to(sum_.reshape(-1), (count,)).astype(np.float32))
    if extra is not None:
        s.done.add(id(s.only_reader(name)))
    made = s.emit(
        "FULLY_CONNECTED",
        [tensor, stored, added],
        out,
        "int8" if integers else "float32",
        name=target,
        quant=tail.quant if integers else None,
        fusedActivationFunction=ACTIVATIONS[tail.activation],
        keepNumDims=len(out) > 2,
    )
    s.bind_tail(tail if integers else s.unrounded(tail), made)


def _added(s: Scope, name: str, count: int) -> tuple[Array | None, str]:
    """A stored vector that is added to a product and nothing else is done with it, and the name of the sum."""
    node = s.only_reader(name)
    if node is None or node.op != "Add":
        return None, name
    other = node.inputs[1] if node.inputs[0] == name else node.inputs[0]
    stored = s.constant(other)
    if stored is None or stored.size not in (1, count) or (stored.size > 1 and stored.shape[-1] != count):
        return None, name
    if s.shape(node.outputs[0]) != s.shape(name):
        return None, name
    return np.broadcast_to(stored.reshape(-1), (count,)), node.outputs[0]


def _batched(s: Scope, node: Node) -> None:
    """A product of two values that are both computed, or of stacks of matrices."""
    first, second = s.real(node.inputs[0]), s.real(node.inputs[1])
    name, out = node.outputs[0], s.shape(node.outputs[0])
    shapes = [first.shape, second.shape]
    if len(shapes[0]) == 1 or len(shapes[1]) == 1:
        raise node.refuse("multiplies with a vector, and TFLite with matrices only")
    left, left_turned = _operand(s, first)
    right, right_turned = _operand(s, second)
    made = s.emit("BATCH_MATMUL", [left, right], out, "float32", name=name, adjX=left_turned, adjY=right_turned)
    s.bind(name, made)


def _operand(s: Scope, value: Value) -> tuple[Tensor, bool]:
    """A matrix that lies transposed is read so."""
    rank = len(value.order)
    turned = (*plain(rank)[:-2], rank - 1, rank - 2)
    if value.order == turned and value.tensor.data is None:
        return value.tensor, True
    return s.plainly(value), False


def _computed_gemm(s: Scope, node: Node, alpha: float, beta: float) -> None:
    first, second = s.real(node.inputs[0]), s.real(node.inputs[1])
    name, out = node.outputs[0], s.shape(node.outputs[0])
    made = s.emit(
        "BATCH_MATMUL", [s.plainly(first), s.plainly(second)], out, "float32", name=name + "/product",
        adjX=bool(node.get("transA", 0)), adjY=bool(node.get("transB", 0)),
    )  # fmt: skip
    if alpha != 1.0:
        made = s.emit("MUL", [made, s.number(alpha)], out, "float32", name=name + "/scaled")
    if len(node.inputs) > 2 and node.inputs[2]:
        other = s.plainly(s.real(node.inputs[2]))
        if beta != 1.0:
            other = s.emit("MUL", [other, s.number(beta)], other.shape, "float32", name=name + "/added")
        made = s.emit("ADD", [made, other], out, "float32", name=name)
    s.bind(name, made)
