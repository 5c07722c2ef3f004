"""Layers: calls of kernels."""

import numpy as np

from ..tflite.graph import Array, Op, Quant, Tensor
from .writing import Writer, emits, number

_FLOATS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}  # by fused activation
SAME = 0


def given(op: Op, index: int) -> Tensor:
    tensor = op.inputs[index]
    assert tensor is not None
    return tensor


def quant(tensor: Tensor) -> Quant:
    assert tensor.quant is not None
    return tensor.quant


def limits(op: Op) -> tuple[str, str]:
    """What the fused activation leaves of the output's range."""
    low, high = _FLOATS[op.options.get("fusedActivationFunction", 0)]
    made = op.outputs[0]
    if made.dtype != "int8":
        return number(low), number(high)
    scale, zero = quant(made).scale[0], quant(made).zero[0]
    ends = [-128 if np.isinf(low) else round(low / scale) + zero, 127 if np.isinf(high) else round(high / scale) + zero]
    return str(int(np.clip(ends[0], -128, 127))), str(int(np.clip(ends[1], -128, 127)))


def _window(w: Writer, op: Op, kernel: tuple[int, int]) -> None:
    """`const struct window p`, for the statement that follows."""
    x, y, o = given(op, 0), op.outputs[0], op.options
    strides = o.get("strideH", 1), o.get("strideW", 1)
    dilations = o.get("dilationHFactor", 1), o.get("dilationWFactor", 1)
    pads = [0, 0]
    for axis in range(2):
        if o.get("padding", SAME) == SAME:
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            total = (y.shape[1 + axis] - 1) * strides[axis] + reach - x.shape[1 + axis]
            pads[axis] = max(total, 0) // 2
    values = [*x.shape[1:], *y.shape[1:], *kernel, *strides, *dilations, *pads]
    w.say(f"    static const struct window p = {{{', '.join(map(str, values))}}};")


def _scales(op: Op) -> Array:
    """Of a sum in levels of the output."""
    x, weights, y = given(op, 0), given(op, 1), op.outputs[0]
    return np.array(quant(weights).scale, np.float64) * quant(x).scale[0] / quant(y).scale[0]


@emits("CONV_2D", "DEPTHWISE_CONV_2D")
def _conv(w: Writer, op: Op) -> None:
    x, filters, bias, y = given(op, 0), given(op, 1), given(op, 2), op.outputs[0]
    depthwise = op.kind == "DEPTHWISE_CONV_2D"
    name = w.kernel(("depthwise_" if depthwise else "conv_") + ("int8" if y.dtype == "int8" else "float"))
    w.say("  {")
    _window(w, op, (filters.shape[1], filters.shape[2]))
    low, high = limits(op)
    depth = "" if depthwise else f"{filters.shape[3]}, "
    for sample in range(x.shape[0]):
        at_x, at_y = (f" + {sample * int(np.prod(each.shape[1:]))}" if sample else "" for each in (x, y))
        operands = f"&p, {w.pointer(x)}{at_x}, {w.pointer(filters)}, {w.pointer(bias)}"
        if y.dtype == "int8":
            zeros = f"{quant(x).zero[0]}, {quant(y).zero[0]}"
            operands += f", {w.table(_scales(op), 'float32')}, {zeros}"
        w.say(f"    {name}({operands}, {low}, {high}, {depth}{w.pointer(y)}{at_y});")
    w.say("  }")


@emits("FULLY_CONNECTED")
def _connected(w: Writer, op: Op) -> None:
    x, weights, bias, y = given(op, 0), given(op, 1), op.inputs[2], op.outputs[0]
    count, width = weights.shape
    rows = int(np.prod(x.shape)) // width
    low, high = limits(op)
    added = w.pointer(bias) if bias is not None else "NULL"
    operands = f"{rows}, {width}, {count}, {w.pointer(x)}, {w.pointer(weights)}, {added}"
    if y.dtype == "int8":
        scales = _scales(op)
        zeros = f"{quant(x).zero[0]}, {quant(y).zero[0]}"
        operands += f", {w.table(scales, 'float32')}, {int(scales.size > 1)}, {zeros}"
    name = w.kernel("connected_int8" if y.dtype == "int8" else "connected_float")
    w.say(f"  {name}({operands}, {low}, {high}, {w.pointer(y)});")


@emits("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    name = w.kernel(
        ("max_pool_" if op.kind == "MAX_POOL_2D" else "mean_pool_") + ("int8" if y.dtype == "int8" else "float")
    )
    w.say("  {")
    _window(w, op, (op.options["filterHeight"], op.options["filterWidth"]))
    low, high = limits(op)
    for sample in range(x.shape[0]):
        at_x, at_y = (f" + {sample * int(np.prod(each.shape[1:]))}" if sample else "" for each in (x, y))
        w.say(f"    {name}(&p, {w.pointer(x)}{at_x}, {low}, {high}, {w.pointer(y)}{at_y});")
    w.say("  }")


@emits("TRANSPOSE_CONV")
def _transposed(w: Writer, op: Op) -> None:
    filters, x, y = given(op, 1), given(op, 2), op.outputs[0]
    bias = op.inputs[3] if len(op.inputs) > 3 else None
    name, strides = w.kernel("transposed_float"), (op.options["strideH"], op.options["strideW"])
    w.say("  {")
    values = [*x.shape[1:], *y.shape[1:], *filters.shape[1:3], *strides, 1, 1, 0, 0]
    w.say(f"    static const struct window p = {{{', '.join(map(str, values))}}};")
    added = w.pointer(bias) if bias is not None else "NULL"
    for sample in range(x.shape[0]):
        at_x, at_y = (f" + {sample * int(np.prod(each.shape[1:]))}" if sample else "" for each in (x, y))
        w.say(f"    {name}(&p, {w.pointer(x)}{at_x}, {w.pointer(filters)}, {added}, {w.pointer(y)}{at_y});")
    w.say("  }")


@emits("BATCH_MATMUL")
def _product(w: Writer, op: Op) -> None:
    a, b, y = given(op, 0), given(op, 1), op.outputs[0]
    name = w.kernel("product_float")
    turned = bool(op.options.get("adjX", False)), bool(op.options.get("adjY", False))
    n, m = y.shape[-2:]
    k = a.shape[-2] if turned[0] else a.shape[-1]
    steps = [(1, each.shape[-1]) if turn else (each.shape[-1], 1) for each, turn in zip((a, b), turned, strict=True)]
    outer = y.shape[:-2]
    for place in np.ndindex(*outer):
        at = []
        for each in (a, b):
            dims = (1,) * (len(outer) - len(each.shape) + 2) + each.shape[:-2]
            index = [0 if dim == 1 else where for dim, where in zip(dims, place, strict=True)]
            at.append(int(np.ravel_multi_index(index, dims)) * each.shape[-1] * each.shape[-2] if dims else 0)
        of_y = int(np.ravel_multi_index(place, outer)) * n * m if outer else 0
        w.say(
            f"  {name}({n}, {k}, {m}, {w.pointer(a)} + {at[0]}, {steps[0][0]}, {steps[0][1]}, "
            f"{w.pointer(b)} + {at[1]}, {steps[1][0]}, {steps[1][1]}, {w.pointer(y)} + {of_y});"
        )


@emits("SOFTMAX")
def _softmax(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    count = x.shape[-1]
    rows = int(np.prod(x.shape)) // count
    beta = float(op.options.get("beta", 0.0))
    if y.dtype == "int8":
        powers = np.exp(-np.arange(256) * quant(x).scale[0] * beta)
        name, middle = w.kernel("softmax_int8"), f"{w.pointer(x)}, {w.table(powers, 'float32')}"
    else:
        name, middle = w.kernel("softmax_float"), f"{number(beta)}, {w.pointer(x)}"
    w.say(f"  {name}({rows}, {count}, {middle}, {w.pointer(y)});")
