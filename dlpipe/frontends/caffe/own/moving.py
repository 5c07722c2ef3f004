"""Numbers moved, repeated, interpolated."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import schema


def _flatten(context: Any, x: Any) -> Any:
    params = context.params("flatten_param")
    first, last = (each + (x.ndim if each < 0 else 0) for each in (params.axis, params.end_axis))
    return x.reshape([*x.shape[:first], -1, *x.shape[last + 1 :]])


def _reshape(context: Any, x: Any) -> Any:
    params = context.params("reshape_param")
    begin = params.axis if params.axis >= 0 else x.ndim + params.axis + 1
    end = x.ndim if params.num_axes == -1 else begin + params.num_axes
    asked = schema.dims(params.shape, context.layer.name)
    made = [x.shape[begin + index] if dim == 0 else dim for index, dim in enumerate(asked)]
    return x.reshape([*x.shape[:begin], *made, *x.shape[end:]])


def _permute(context: Any, x: Any) -> Any:
    order = context.params("permute_param").order
    return x.transpose([*order, *(axis for axis in range(x.ndim) if axis not in order)])


def _concat(context: Any, *inputs: Any) -> Any:
    params = context.params("concat_param")
    return np.concatenate(inputs, params.axis if params.concat_dim is None else params.concat_dim)


def _slice(context: Any, x: Any) -> Any:
    params = context.params("slice_param")
    axis = params.axis if params.slice_dim is None else params.slice_dim
    return np.split(x, params.slice_point or context.tops, axis)


def _tile(context: Any, x: Any) -> Any:
    params = context.params("tile_param")
    return np.concatenate([x] * params.tiles, params.axis)


def _crop(context: Any, x: Any, like: Any) -> Any:
    params = context.params("crop_param")
    axis = params.axis + (x.ndim if params.axis < 0 else 0)
    offsets = params.offset or [0]
    offsets = offsets * (x.ndim - axis if len(offsets) == 1 else 1)
    cut = [slice(low, low + size) for low, size in zip(offsets, like.shape[axis:], strict=True)]
    return x[(*[slice(None)] * axis, *cut)]


def _shuffle(context: Any, x: Any) -> Any:
    """Channel g * c + i goes to i * group + g."""
    group = context.params("shuffle_channel_param").group
    made = np.empty_like(x)
    width = x.shape[1] // group
    for g in range(group):
        for i in range(width):
            made[:, i * group + g] = x[:, g * width + i]
    return made


def _interp(context: Any, x: Any, *like: Any) -> Any:
    params = context.params("interp_param")
    height, width = (size + params.pad_beg + params.pad_end for size in x.shape[2:])
    x = x[:, :, -params.pad_beg : -params.pad_beg + height, -params.pad_beg : -params.pad_beg + width]
    if like:
        sizes = list(like[0].shape[2:])
    elif params.height or params.width:
        sizes = [params.height, params.width]
    else:
        sizes = [(size - 1) // params.shrink_factor + 1 for size in (height, width)]
        sizes = [size + (size - 1) * (params.zoom_factor - 1) for size in sizes]
    for axis, size in zip((2, 3), sizes, strict=True):
        at = np.linspace(0, x.shape[axis] - 1, size)
        low = np.minimum(at.astype(int), x.shape[axis] - 1)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        part = (at - low).reshape([-1, *[1] * (3 - axis)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


def _upsample(context: Any, x: Any, *mask: Any) -> Any:
    params = context.params("upsample_param")
    factors = [params.scale if each is None else each for each in (params.scale_h, params.scale_w)]
    if not mask:
        return x.repeat(factors[0], 2).repeat(factors[1], 3)
    sizes = [
        own if own is not None else size * factor - less
        for size, own, factor, less in zip(
            x.shape[2:],
            (params.upsample_h, params.upsample_w),
            factors,
            (params.pad_out_h, params.pad_out_w),
            strict=True,
        )
    ]
    made = np.zeros([*x.shape[:2], sizes[0] * sizes[1]])
    for n, c in np.ndindex(*x.shape[:2]):
        made[n, c, mask[0][n, c].astype(int).ravel()] = x[n, c].ravel()
    return made.reshape([*x.shape[:2], *sizes])


def _dummy(context: Any) -> Any:
    params = context.params("dummy_data_param")
    shapes = [schema.dims(each, "") for each in params.shape]
    if not shapes:
        legacy = (params.num, params.channels, params.height, params.width)
        shapes = [[e[i if len(e) > 1 else 0] for e in legacy] for i in range(max(map(len, legacy)))]
    fillers = [float(each.scalar("value") or 0) for each in params.data_filler] or [0.0]
    return [np.full(shapes[i % len(shapes)], fillers[i % len(fillers)]) for i in range(context.tops)]


FORWARD = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Concat": _concat,
    "Slice": _slice,
    "Tile": _tile,
    "Crop": _crop,
    "ShuffleChannel": _shuffle,
    "BatchReindex": lambda _, x, index: x[index.astype(int).ravel()],
    "Interp": _interp,
    "Upsample": _upsample,
    "DummyData": _dummy,
    "Parameter": lambda c: c.blobs[0],
}
