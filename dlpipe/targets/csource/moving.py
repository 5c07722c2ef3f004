"""Operators that move values: copies with steps, and by tables of places."""

from collections.abc import Sequence

import numpy as np

from ..tflite.graph import Array, Op, Tensor
from .elementwise import op_refused, over, spread
from .layers import given
from .writing import Writer, emits, number, strides


def _stored(op: Op, index: int) -> list[int]:
    data = given(op, index).data
    assert data is not None
    return [int(each) for each in data.reshape(-1)]


@emits("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def _reshape(w: Writer, op: Op) -> None:
    """Nothing, where both have the same memory."""
    x, y = given(op, 0), op.outputs[0]
    if w.pointer(x) != w.pointer(y):
        size = [int(np.prod(x.shape))]
        w.copy(size, (w.pointer(y), [1], 0), (w.pointer(x), [1], 0))


@emits("TRANSPOSE")
def _transpose(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    steps = [strides(x.shape)[axis] for axis in _stored(op, 1)]
    w.copy(y.shape, (w.pointer(y), strides(y.shape), 0), (w.pointer(x), steps, 0))


@emits("PAD", "PADV2")
def _pad(w: Writer, op: Op) -> None:
    x, y, pads = given(op, 0), op.outputs[0], _stored(op, 1)
    value = op.inputs[2] if len(op.inputs) > 2 else None
    if value is not None and value.data is not None:
        filling = number(value.data.reshape(())) if y.dtype == "float32" else str(int(value.data.reshape(())))
    else:
        filling = str(y.quant.zero[0]) if y.quant is not None else "0"
    w.loops([int(np.prod(y.shape))], [(w.pointer(y), [1], 0)], lambda each: f"{each} = {filling};")
    steps = strides(y.shape)
    offset = sum(pad * step for pad, step in zip(pads[::2], steps, strict=True))
    w.copy(x.shape, (w.pointer(y), steps, offset), (w.pointer(x), strides(x.shape), 0))


@emits("CONCATENATION", "PACK")
def _concat(w: Writer, op: Op) -> None:
    y = op.outputs[0]
    rank = len(y.shape)
    axis, steps, at = op.options.get("axis", 0) % rank, strides(y.shape), 0
    for index in range(len(op.inputs)):
        x = given(op, index)
        shape = x.shape if op.kind == "CONCATENATION" else (*x.shape[:axis], 1, *x.shape[axis:])
        w.copy(shape, (w.pointer(y), steps, at * steps[axis]), (w.pointer(x), strides(shape), 0))
        at += shape[axis]


@emits("SPLIT", "SPLIT_V", "UNPACK")
def _split(w: Writer, op: Op) -> None:
    x = given(op, 1 if op.kind == "SPLIT" else 0)
    if op.kind == "UNPACK":
        axis = op.options.get("axis", 0) % len(x.shape)
    else:
        axis = _stored(op, 0 if op.kind == "SPLIT" else 2)[0] % len(x.shape)
    steps, at = strides(x.shape), 0
    for y in op.outputs:
        shape = y.shape if op.kind != "UNPACK" else (*y.shape[:axis], 1, *y.shape[axis:])
        w.copy(shape, (w.pointer(y), strides(shape), 0), (w.pointer(x), steps, at * steps[axis]))
        at += shape[axis]


@emits("SLICE", "STRIDED_SLICE")
def _slice(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    begin = _stored(op, 1)
    every = _stored(op, 3) if op.kind == "STRIDED_SLICE" else [1] * len(begin)
    steps = strides(x.shape)
    offset = sum(first * step for first, step in zip(begin, steps, strict=True))
    walked = [step * each for step, each in zip(steps, every, strict=True)]
    w.copy(y.shape, (w.pointer(y), strides(y.shape), 0), (w.pointer(x), walked, offset))


@emits("BROADCAST_TO")
def _broadcast(w: Writer, op: Op) -> None:
    over(w, op, [given(op, 0)], "{0} = {1};".format)


@emits("TILE")
def _tile(w: Writer, op: Op) -> None:
    x, y, times = given(op, 0), op.outputs[0], _stored(op, 1)
    shape, target, source = [], [], []
    for dim, count, of_y, of_x in zip(x.shape, times, strides(y.shape), strides(x.shape), strict=True):
        shape += [count, dim]
        target += [dim * of_y, of_y]
        source += [0, of_x]
    w.copy(shape, (w.pointer(y), target, 0), (w.pointer(x), source, 0))


@emits("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def _depth(w: Writer, op: Op) -> None:
    x, y, block = given(op, 0), op.outputs[0], op.options["blockSize"]
    small, large = (x, y) if op.kind == "DEPTH_TO_SPACE" else (y, x)
    batch, height, width, _ = small.shape
    depth = large.shape[3]
    shape = [batch, height, block, width, block, depth]
    of_small = np.array(strides(small.shape))
    of_large = np.array(strides(large.shape))
    deep = [of_small[0], of_small[1], block * depth, of_small[2], depth, 1]
    wide = [of_large[0], block * of_large[1], of_large[1], block * of_large[2], of_large[2], 1]
    steps = {id(small): [int(each) for each in deep], id(large): [int(each) for each in wide]}
    w.copy(shape, (w.pointer(y), steps[id(y)], 0), (w.pointer(x), steps[id(x)], 0))


def _by_places(w: Writer, x: Tensor, y_pointer: str, places: Sequence[Array], axes: Sequence[int]) -> None:
    """y[..., i, ...] = x[..., places[i], ...] along each of the axes."""
    shape = [len(places[axes.index(axis)]) if axis in axes else dim for axis, dim in enumerate(x.shape)]
    steps = strides(x.shape)
    tables = {axis: w.table(each * steps[axis], "int32") for axis, each in zip(axes, places, strict=True)}
    head = "".join(f"for (int i{axis} = 0; i{axis} < {dim}; ++i{axis}) " for axis, dim in enumerate(shape))
    where = [f"{tables[axis]}[i{axis}]" if axis in tables else f"i{axis} * {step}" for axis, step in enumerate(steps)]
    target = [f"i{axis} * {step}" for axis, step in enumerate(strides(shape))]
    w.say(f"  {head}{y_pointer}[{' + '.join(target)}] = {w.pointer(x)}[{' + '.join(where)}];")


@emits("MIRROR_PAD")
def _mirror(w: Writer, op: Op) -> None:
    x, pads = given(op, 0), _stored(op, 1)
    places = []
    for axis, dim in enumerate(x.shape):
        at = np.abs(np.arange(-pads[2 * axis], dim + pads[2 * axis + 1]))
        places.append(np.where(at >= dim, 2 * (dim - 1) - at, at))
    _by_places(w, x, w.pointer(op.outputs[0]), places, list(range(len(x.shape))))


@emits("RESIZE_NEAREST_NEIGHBOR")
def _nearest(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    _by_places(w, x, w.pointer(y), [_origin(op, x.shape[axis], y.shape[axis]) for axis in (1, 2)], [1, 2])


def _origin(op: Op, before: int, after: int) -> Array:
    place = np.arange(after, dtype=np.float32)
    if op.options.get("alignCorners") and after > 1:
        found: Array = np.floor(place * np.float32((before - 1) / (after - 1)) + np.float32(0.5))
    else:
        half = np.float32(0.5 if op.options.get("halfPixelCenters") else 0.0)
        found = np.floor((place + half) * np.float32(before / after))
    return found.clip(0, before - 1).astype(np.int64)


@emits("RESIZE_BILINEAR")
def _bilinear(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    if y.dtype != "float32":
        raise op_refused(op, "in 8 bits")
    tables = []
    for axis in (1, 2):
        before, after = x.shape[axis], y.shape[axis]
        place = np.arange(after, dtype=np.float64)
        if op.options.get("alignCorners") and after > 1:
            at = place * (before - 1) / (after - 1)
        else:
            half = 0.5 if op.options.get("halfPixelCenters") else 0.0
            at = (place + half) * before / after - half
        at = at.clip(0, before - 1)
        low = np.floor(at).astype(np.int64)
        step = strides(x.shape)[axis]
        high = np.minimum(low + 1, before - 1)
        tables.append([w.table(low * step, "int32"), w.table(high * step, "int32"), w.table(at - low, "float32")])
    (top, bottom, down), (left, right, across) = tables
    batch, height, width, channels = y.shape
    w.say(f"  for (int n = 0; n < {batch}; ++n) for (int i = 0; i < {height}; ++i) for (int j = 0; j < {width}; ++j)")
    w.say(f"    for (int c = 0; c < {channels}; ++c) {{")
    w.say(f"      const float *x = {w.pointer(x)} + n * {strides(x.shape)[0]} + c;")
    w.say(f"      const float a = x[{top}[i] + {left}[j]], b = x[{top}[i] + {right}[j]];")
    w.say(f"      const float d = x[{bottom}[i] + {left}[j]], e = x[{bottom}[i] + {right}[j]];")
    w.say(f"      const float upper = a + (b - a) * {across}[j], lower = d + (e - d) * {across}[j];")
    element = f"((n * {height} + i) * {width} + j) * {channels} + c"
    w.say(f"      {w.pointer(y)}[{element}] = upper + (lower - upper) * {down}[i];")
    w.say("    }")


@emits("GATHER")
def _gather(w: Writer, op: Op) -> None:
    x, indices, y = given(op, 0), given(op, 1), op.outputs[0]
    axis, rank = op.options.get("axis", 0) % len(x.shape), len(indices.shape)
    steps = strides(x.shape)
    inner = x.shape[axis + 1 :]
    shape = [*x.shape[:axis], *indices.shape, *inner]
    of_index = spread(indices.shape, indices.shape)
    operands = [
        (w.pointer(y), strides(y.shape), 0),
        (w.pointer(x), [*steps[:axis], *([0] * rank), *steps[axis + 1 :]], 0),
        (w.pointer(indices), [*([0] * axis), *of_index, *([0] * len(inner))], 0),
    ]
    w.loops(shape, operands, lambda out, first, index: f"{out} = (&{first})[{index} * {steps[axis]}];")
