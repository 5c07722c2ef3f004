"""Operators on pictures."""

from __future__ import annotations

import numpy as np

from .handlers import handles
from .reading import Operator
from .scope import Array, Scope

_PARTS = 1 << 10
_UP = 2.0**-12  # of a step: less than what any two factors of a usual size can leave


@handles("RESIZE_BILINEAR")
def resize_bilinear(scope: Scope, op: Operator) -> None:
    _resize(scope, op, "linear")


@handles("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(scope: Scope, op: Operator) -> None:
    _resize(scope, op, "nearest")


def _resize(scope: Scope, op: Operator, mode: str) -> None:
    """Nearest: rounded down, or to the nearest with a half going up where corners are aligned; with half-pixel centres,
    the centre itself is rounded down, which is its neighbour rounded with a half going down."""
    data, name = op.inputs[0], scope.name(op.outputs[0])
    aligned, half = bool(op.options["align_corners"]), bool(op.options["half_pixel"])
    if aligned and half:
        raise op.refuse("has aligned corners and half-pixel centres at once")
    x = scope.real(data, True)
    if mode == "linear" and scope.tensor(data).dtype == "int16":
        _bilinear_int16(scope, op, x)
        return
    sizes = scope.ints(op.inputs[1], f"{name}__size")
    begin = scope.node("Shape", [x], name, start=0, end=2)
    target = scope.node("Concat", [begin, sizes], name, axis=0)
    if aligned:
        where, rounding = "align_corners", "round_prefer_ceil"
    elif half:
        where, rounding = "half_pixel", "round_prefer_ceil"
    else:
        where, rounding = "asymmetric", "floor"
    attributes = {"mode": mode, "coordinate_transformation_mode": where}
    quantisation = scope.quantisation(data)
    if mode == "nearest" or quantisation is None:
        nearest = rounding if mode == "nearest" else None
        inputs = [x, "", "", target]
        scope.result(
            op.outputs[0], "Resize", inputs, real=True, nchw=True, like=data, nearest_mode=nearest, **attributes
        )
        return
    # Between two steps LiteRT goes up, and many pixels of a magnified picture lie just there.
    made = scope.node("Resize", [x, "", "", target], name, **attributes)
    up = scope.const(quantisation.scale[0] * _UP, f"{name}__up", "float32")
    scope.result(op.outputs[0], "Add", [made, up], real=True, nchw=True, like=data)


def _bilinear_int16(scope: Scope, op: Operator, x: str) -> None:
    """LiteRT counts positions in steps of 2^-10 of a pixel, the distance of two of them rounded first: a product with
    the weights of rows and one with those of columns."""
    data, name = op.inputs[0], scope.name(op.outputs[0])
    given = scope.shape(op, data)[1:3]
    wanted = [int(each) for each in np.ravel(scope.constant(op, 1))]
    scope.small(op, max(each * other for each, other in zip(given, wanted, strict=True)))
    rows, columns = (_weights(op, *sizes) for sizes in zip(given, wanted, strict=True))
    tall = scope.node("MatMul", [scope.const(rows, f"{name}__rows", "float32"), x], name)
    inputs = [tall, scope.const(columns.T, f"{name}__columns", "float32")]
    scope.result(op.outputs[0], "MatMul", inputs, real=True, nchw=True, like=data)


def _weights(op: Operator, size: int, wanted: int) -> Array:
    """[wanted, size]: how much of each element goes into each new one."""
    if wanted < 1 or size < 1:
        raise op.refuse(f"makes {wanted} rows or columns of {size}")
    aligned = op.options["align_corners"] and wanted > 1
    many, few = (size - 1, wanted - 1) if aligned else (size, wanted)
    distance = (many * _PARTS + few // 2) // few
    at = np.arange(wanted) * distance + (distance // 2 - _PARTS // 2 if op.options["half_pixel"] else 0)
    first = np.clip(at // _PARTS, 0, size - 1)
    second = np.minimum(at // _PARTS + 1, size - 1)
    share = (at - first * _PARTS) / _PARTS
    found = np.zeros((wanted, size))
    np.add.at(found, (np.arange(wanted), first), 1 - share)
    np.add.at(found, (np.arange(wanted), np.maximum(second, 0)), share)
    return found


@handles("SPACE_TO_DEPTH")
def space_to_depth(scope: Scope, op: Operator) -> None:
    block = int(op.options["block"])
    scope.result(
        op.outputs[0],
        "SpaceToDepth",
        [scope.real(op.inputs[0], True)],
        real=True,
        nchw=True,
        like=op.inputs[0],
        blocksize=block,
    )


@handles("DEPTH_TO_SPACE")
def depth_to_space(scope: Scope, op: Operator) -> None:
    block = int(op.options["block"])
    scope.result(
        op.outputs[0],
        "DepthToSpace",
        [scope.real(op.inputs[0], True)],
        real=True,
        nchw=True,
        like=op.inputs[0],
        blocksize=block,
        mode="DCR",
    )


@handles("SPACE_TO_BATCH_ND")
def space_to_batch(scope: Scope, op: Operator) -> None:
    """Padded; then, as dims: batch, per axis (outer, block), the rest; the blocks go in front of the batch."""
    data, name = op.inputs[0], scope.name(op.outputs[0])
    block, amounts = scope.constant(op, 1).astype(int).tolist(), scope.constant(op, 2).astype(int).tolist()
    axes, rank = len(block), scope.rank(data)
    shape = scope.tensor(data).shape
    full = [(0, 0), *map(tuple, amounts), *[(0, 0)] * (rank - 1 - axes)]
    pads = np.array(full).T.reshape(-1)
    padded = scope.node("Pad", [scope.real(data), scope.const(pads, f"{name}__pads", "int64")], name)
    sizes = [None if dim is None else dim + sum(more) for dim, more in zip(shape, full, strict=True)]
    if None in sizes[1:] or any(size % each for size, each in zip(sizes[1:], block, strict=False) if size is not None):
        raise op.refuse(f"makes blocks of {block} of {sizes[1:]}")
    inner = [dim for dim in sizes[1:] if dim is not None]
    apart = [part for dim, each in zip(inner, block, strict=False) for part in (dim // each, each)]
    order = [*(2 + 2 * i for i in range(axes)), 0, *(1 + 2 * i for i in range(axes)), *range(1 + 2 * axes, rank + axes)]
    together = [-1, *(dim // each for dim, each in zip(inner, block, strict=False)), *inner[axes:]]
    _regrouped(scope, op, padded, [-1, *apart, *inner[axes:]], order, together)


@handles("BATCH_TO_SPACE_ND")
def batch_to_space(scope: Scope, op: Operator) -> None:
    """The inverse; what is cropped is cut off at the end."""
    data, name = op.inputs[0], scope.name(op.outputs[0])
    block, crops = scope.constant(op, 1).astype(int).tolist(), scope.constant(op, 2).astype(int).tolist()
    axes, rank = len(block), scope.rank(data)
    inner = scope.tensor(data).shape[1:]
    if None in inner:
        raise op.refuse("has a free height or width", hint="fix the input's shape: --shape")
    dims = [dim for dim in inner if dim is not None]
    order = [axes]
    for axis in range(axes):
        order += [axes + 1 + axis, axis]
    order += range(2 * axes + 1, rank + axes)
    whole = [dim * each for dim, each in zip(dims, block, strict=False)]
    wide = _moved(scope, name, scope.real(data), [*block, -1, *dims], order, [-1, *whole, *dims[axes:]])
    starts = [before for before, _ in crops]
    ends = [size - after for size, (_, after) in zip(whole, crops, strict=True)]
    bounds = [scope.const(each, f"{name}__crop", "int64") for each in (starts, ends, range(1, axes + 1))]
    scope.result(op.outputs[0], "Slice", [wide, *bounds], real=True, like=data)


def _regrouped(scope: Scope, op: Operator, value: str, apart: list[int], order: list[int], together: list[int]) -> None:
    made = _moved(scope, scope.name(op.outputs[0]), value, apart, order, together)
    scope.result(op.outputs[0], "Identity", [made], real=True, like=op.inputs[0])


def _moved(scope: Scope, name: str, value: str, apart: list[int], order: list[int], together: list[int]) -> str:
    split = scope.node("Reshape", [value, scope.const(apart, f"{name}__apart", "int64")], name)
    turned = scope.node("Transpose", [split], name, perm=order)
    return scope.node("Reshape", [turned, scope.const(together, f"{name}__together", "int64")], name)
