"""Operators that move numbers about without looking at them: quantised ones stay as they are stored."""

from __future__ import annotations

from functools import partial

import numpy as np

from .handlers import handles
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import INT64, NCHW_AXIS, Scope, element


@handles("RESHAPE")
def reshape(scope: Scope, op: Operator) -> None:
    """The shape is a constant, an option (old files), or computed."""
    data, out = op.inputs[0], op.outputs[0]
    name = f"{scope.name(out)}__shape"
    if not scope.has(op, 1):
        wanted = op.options["new_shape"] or [-1 if dim is None else dim for dim in scope.tensor(out).shape]
        shape = scope.const(wanted, name, "int64")
    elif scope.is_constant(op.inputs[1]):
        shape = scope.const(np.ravel(scope.constant(op, 1)), name, "int64")
    elif (dims := scope.tensor(out).shape).count(None) == 0 and not _free(scope):
        shape = scope.const(dims, name, "int64")
    else:
        shape = scope.ints(op.inputs[1], name)
    scope.result(out, "Reshape", [scope.stored(data), shape], allowzero=1 if 0 in scope.tensor(out).shape else None)


def _free(scope: Scope) -> bool:
    """Whether any input has a free dim, so that a shape in the file is no more than an example."""
    return any(None in scope.tensor(index).shape for index in scope.subgraph.inputs)


@handles("SQUEEZE")
def squeeze(scope: Scope, op: Operator) -> None:
    axes = op.options["axes"]
    inputs = [scope.stored(op.inputs[0])]
    if axes:
        inputs.append(scope.const(axes, f"{scope.name(op.outputs[0])}__axes", "int64"))
    scope.result(op.outputs[0], "Squeeze", inputs)


@handles("EXPAND_DIMS")
def expand_dims(scope: Scope, op: Operator) -> None:
    axes = scope.const(np.ravel(scope.constant(op, 1)), f"{scope.name(op.outputs[0])}__axes", "int64")
    scope.result(op.outputs[0], "Unsqueeze", [scope.stored(op.inputs[0]), axes])


@handles("TRANSPOSE")
def transpose(scope: Scope, op: Operator) -> None:
    order = [int(each) for each in np.ravel(scope.constant(op, 1))]
    rank = scope.rank(op.inputs[0])
    order = [each + rank if each < 0 else each for each in order]
    if sorted(order) != list(range(rank)):
        raise op.refuse(f"orders the dims of a tensor of rank {rank} as {order}")
    scope.result(op.outputs[0], "Transpose", [scope.stored(op.inputs[0])], perm=order)


@handles("CONCATENATION")
def concatenation(scope: Scope, op: Operator) -> None:
    """As stored where all parts have the scale of the whole."""
    out = op.outputs[0]
    activation = ACTIVATIONS[op.options["activation"]]
    rank = scope.rank(out)
    axis = int(op.options["axis"]) % max(rank, 1)
    nchw = scope.prefers_nchw(*op.inputs)
    real = activation != "NONE" or any(not _same(scope, index, out) for index in op.inputs)
    values = [scope.real(index, nchw) if real else scope.stored(index, nchw) for index in op.inputs]
    axis = NCHW_AXIS[axis] if nchw else axis
    scope.result(out, "Concat", values, real=real, nchw=nchw, activation=activation, axis=axis)


def _same(scope: Scope, one: int, other: int) -> bool:
    a, b = scope.quantisation(one), scope.quantisation(other)
    if a is None or b is None:
        return a is b
    return bool(a.scale.tolist() == b.scale.tolist() and a.zero_point.tolist() == b.zero_point.tolist())


@handles("PACK")
def pack(scope: Scope, op: Operator) -> None:
    out = op.outputs[0]
    name = scope.name(out)
    axis = int(op.options["axis"])
    axes = scope.const([axis], f"{name}__axis", "int64")
    parts = [scope.node("Unsqueeze", [scope.stored(index), axes], name) for index in op.inputs]
    scope.result(out, "Concat", parts, axis=axis)


@handles("UNPACK")
def unpack(scope: Scope, op: Operator) -> None:
    axis, name = int(op.options["axis"]), scope.name(op.outputs[0])
    parts = _split(scope, op, scope.stored(op.inputs[0]), axis, [1] * len(op.outputs))
    axes = scope.const([axis], f"{name}__axis", "int64")
    for index, part in zip(op.outputs, parts, strict=True):
        scope.result(index, "Squeeze", [part, axes])


@handles("SPLIT")
def split(scope: Scope, op: Operator) -> None:
    """Inputs: the axis, the data. Equal parts."""
    axis = int(np.ravel(scope.constant(op, 0))[0])
    size = scope.tensor(op.inputs[1]).shape[axis]
    if size is None or size % len(op.outputs):
        raise op.refuse(f"makes {len(op.outputs)} parts of a dim of {size or 'free size'}")
    _parts(scope, op, op.inputs[1], axis, [size // len(op.outputs)] * len(op.outputs))


@handles("SPLIT_V")
def split_v(scope: Scope, op: Operator) -> None:
    """Inputs: the data, the sizes (-1: what is left), the axis."""
    axis = int(np.ravel(scope.constant(op, 2))[0])
    sizes = [int(each) for each in np.ravel(scope.constant(op, 1))]
    whole = scope.tensor(op.inputs[0]).shape[axis]
    if -1 in sizes:
        if whole is None or sizes.count(-1) > 1:
            raise op.refuse(f"splits a dim of {whole or 'free size'} into {sizes}")
        sizes = [whole - sum(each for each in sizes if each >= 0) if each == -1 else each for each in sizes]
    _parts(scope, op, op.inputs[0], axis, sizes)


def _parts(scope: Scope, op: Operator, data: int, axis: int, sizes: list[int]) -> None:
    for index, part in zip(op.outputs, _split(scope, op, scope.stored(data), axis, sizes), strict=True):
        scope.result(index, "Identity", [part])


def _split(scope: Scope, op: Operator, value: str, axis: int, sizes: list[int]) -> list[str]:
    name = scope.name(op.outputs[0])
    if len(sizes) != len(op.outputs):
        raise op.refuse(f"has {len(op.outputs)} outputs for {len(sizes)} parts")
    made = [scope.graph.fresh(f"{name}__part") for _ in sizes]
    scope.graph.node("Split", [value, scope.const(sizes, f"{name}__sizes", "int64")], made, name=name, axis=axis)
    return made


@handles("TILE")
def tile(scope: Scope, op: Operator) -> None:
    repeats = scope.ints(op.inputs[1], f"{scope.name(op.outputs[0])}__repeats")
    scope.result(op.outputs[0], "Tile", [scope.stored(op.inputs[0]), repeats])


@handles("BROADCAST_TO")
def broadcast_to(scope: Scope, op: Operator) -> None:
    shape = scope.ints(op.inputs[1], f"{scope.name(op.outputs[0])}__shape")
    scope.result(op.outputs[0], "Expand", [scope.stored(op.inputs[0]), shape])


@handles("BROADCAST_ARGS")
def broadcast_args(scope: Scope, op: Operator) -> None:
    """The shape that two shapes become together; the shorter one has ones before it."""
    name = scope.name(op.outputs[0])
    ranks = [scope.shape(op, index)[0] for index in op.inputs]
    shapes = []
    for index, rank in zip(op.inputs, ranks, strict=True):
        shape = scope.ints(index, f"{name}__shape")
        ones = scope.const([1] * (max(ranks) - rank), f"{name}__ones", "int64")
        shapes.append(scope.node("Concat", [ones, shape], name, axis=0))
    one = scope.node("Equal", [shapes[0], scope.const(1, f"{name}__one", "int64")], name)
    made = scope.node("Where", [one, shapes[1], shapes[0]], name)
    scope.result(op.outputs[0], "Cast", [made], to=element(scope.tensor(op.outputs[0]).dtype))


@handles("FILL")
def fill(scope: Scope, op: Operator) -> None:
    """Inputs: the shape, the value."""
    shape = scope.ints(op.inputs[0], f"{scope.name(op.outputs[0])}__shape")
    scope.result(op.outputs[0], "Expand", [scope.stored(op.inputs[1]), shape])


@handles("ZEROS_LIKE")
def zeros_like(scope: Scope, op: Operator) -> None:
    name = scope.name(op.outputs[0])
    zero = scope.const(0, f"{name}__zero", scope.tensor(op.outputs[0]).dtype)
    scope.result(op.outputs[0], "Expand", [zero, scope.node("Shape", [scope.stored(op.inputs[0])], name)])


@handles("RANGE")
def range_(scope: Scope, op: Operator) -> None:
    scope.result(op.outputs[0], "Range", [scope.stored(index) for index in op.inputs])


@handles("SHAPE")
def shape_(scope: Scope, op: Operator) -> None:
    found = scope.node("Shape", [scope.stored(op.inputs[0])], scope.name(op.outputs[0]))
    to = element(scope.tensor(op.outputs[0]).dtype)
    scope.result(op.outputs[0], "Identity" if to == INT64 else "Cast", [found], to=to if to != INT64 else None)


@handles("RANK")
def rank(scope: Scope, op: Operator) -> None:
    value = scope.const(scope.rank(op.inputs[0]), f"{scope.name(op.outputs[0])}__rank", "int32")
    scope.result(op.outputs[0], "Identity", [value])


@handles("REVERSE_V2")
def reverse(scope: Scope, op: Operator) -> None:
    axes, name = [int(each) for each in np.ravel(scope.constant(op, 1))], scope.name(op.outputs[0])
    values = {"starts": -1, "ends": -(2**63) + 1, "axes": None, "steps": -1}
    given = [
        scope.const(axes if value is None else [value] * len(axes), f"{name}__{key}", "int64")
        for key, value in values.items()
    ]
    scope.result(op.outputs[0], "Slice", [scope.stored(op.inputs[0]), *given])


@handles("REVERSE_SEQUENCE")
def reverse_sequence(scope: Scope, op: Operator) -> None:
    lengths = scope.ints(op.inputs[1], f"{scope.name(op.outputs[0])}__lengths")
    batch, time = int(op.options["batch_axis"]), int(op.options["seq_axis"])
    if {batch, time} != {0, 1}:
        raise op.refuse(f"is along the dim {time} of the batch dim {batch}: ONNX has the first two dims alone")
    scope.result(
        op.outputs[0], "ReverseSequence", [scope.stored(op.inputs[0]), lengths], batch_axis=batch, time_axis=time
    )


def _pad(mode: str, scope: Scope, op: Operator) -> None:
    """Amounts [rank, 2]: before and after. What is added stands for zero unless it is given."""
    data, out = op.inputs[0], op.outputs[0]
    amounts, name = scope.array(op.inputs[1]), scope.name(out)
    nchw = amounts is not None and scope.prefers_nchw(data)
    if amounts is not None:
        pairs = amounts[[0, 3, 1, 2]] if nchw else amounts
        pads = scope.const(pairs.T.reshape(-1), f"{name}__pads", "int64")
    else:
        turned = scope.node("Transpose", [scope.ints(op.inputs[1], f"{name}__pads")], name, perm=[1, 0])
        pads = scope.node("Reshape", [turned, scope.const([-1], f"{name}__flat", "int64")], name)
    inputs = [scope.real(data, nchw), pads]
    if mode == "constant" and scope.has(op, 2):
        inputs.append(scope.node("Squeeze", [scope.real(op.inputs[2])], name))
    scope.result(out, "Pad", inputs, real=True, nchw=nchw, like=data, mode=mode)


handles("PAD", "PADV2")(partial(_pad, "constant"))


@handles("MIRROR_PAD")
def mirror_pad(scope: Scope, op: Operator) -> None:
    """REFLECT leaves the edge out, SYMMETRIC repeats it: that one is put together of reversed slices."""
    if op.options["mode"] == 0:
        _pad("reflect", scope, op)
        return
    value, name = scope.stored(op.inputs[0]), scope.name(op.outputs[0])
    for axis, (before, after) in enumerate(scope.constant(op, 1).astype(int).tolist()):
        parts = [value]
        if before:
            parts.insert(0, _mirrored(scope, name, value, before - 1, -(2**63) + 1, axis))
        if after:
            parts.append(_mirrored(scope, name, value, -1, -after - 1, axis))
        if len(parts) > 1:
            value = scope.node("Concat", parts, name, axis=axis)
    scope.result(op.outputs[0], "Identity", [value])


def _mirrored(scope: Scope, name: str, value: str, start: int, end: int, axis: int) -> str:
    bounds = [scope.const([each], f"{name}__slice", "int64") for each in (start, end, axis, -1)]
    return scope.node("Slice", [value, *bounds], name)
