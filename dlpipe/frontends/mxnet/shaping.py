"""Layers that move, cut, join or repeat, and compute nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net

MAX_PARTS = 4096
_END = (1 << 63) - 1

Target = list["int | list[int] | None"]


@handles("Reshape", "reshape")
def reshape(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    shape, backwards = a.dims("shape"), a.flag("reverse")
    target_shape, keep = a.dims("target_shape"), a.flag("keep_highest")
    if not shape and target_shape:  # before 0.7: 0 is what is left
        target: Target = [each or None for each in target_shape]
        if keep:
            target[0] = [0]
        return net.reshape(data, target)
    rank = net.rank(data)
    if not backwards:
        return net.reshape(data, _target(net, data, shape, list(range(rank))))
    target = _target(net, data, shape[::-1], list(range(rank))[::-1])
    return net.reshape(data, target[::-1])


def _target(net: Net, data: str, codes: Sequence[int], axes: list[int]) -> Target:
    """0: this dim; -1: what is left; -2: all that remain; -3: the product of two; -4 a b: this dim as a times b."""
    left, target, at = list(axes), list[int | list[int] | None](), 0

    def take() -> int:
        if not left:
            raise Refused(f"shape {tuple(codes)} asks for more dims than the input has")
        return left.pop(0)

    while at < len(codes):
        code = codes[at]
        at += 1
        if code > 0 or code == -1:
            if left:
                left.pop(0)
            target.append(code if code > 0 else None)
        elif code == 0:
            target.append([take()])
        elif code == -2:
            target.extend([axis] for axis in left)
            left.clear()
        elif code == -3:
            target.append(sorted((take(), take())))
        elif code == -4:
            if at + 2 > len(codes):
                raise Refused("-4 in a shape needs two numbers behind it")
            target.extend(_split(net.size(data, take()), codes[at], codes[at + 1]))
            at += 2
        else:
            raise Refused(f"{code} in a shape has no meaning")
    if target.count(None) > 1:
        raise Refused("two dims of a shape are left open")
    return target


def _split(size: int, first: int, second: int) -> list[int]:
    if first == -1 and second > 0:
        first = size // second
    if second == -1 and first > 0:
        second = size // first
    if first < 1 or second < 1 or first * second != size:
        raise Refused(f"a dim of {size} cannot be split into {first} and {second}")
    return [first, second]


@handles("Flatten", "flatten", "_npx_batch_flatten")
def flatten(net: Net, layer: Layer) -> str:
    return net.add("Flatten", layer.inputs[0], axis=1)


@handles("transpose")
def transpose(net: Net, layer: Layer) -> str:
    data = layer.inputs[0]
    axes = layer.attributes.dims("axes") or tuple(range(net.rank(data)))[::-1]
    return net.add("Transpose", data, perm=[net.axis(data, axis) for axis in axes])


@handles("SwapAxis", "swapaxes")
def swap(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    one, other = net.axis(data, a.whole("dim1", 0)), net.axis(data, a.whole("dim2", 0))
    order = list(range(net.rank(data)))
    order[one], order[other] = order[other], order[one]
    return net.add("Transpose", data, perm=order)


@handles("expand_dims")
def expand_dims(net: Net, layer: Layer) -> str:
    return net.unsqueeze(layer.inputs[0], net.axis(layer.inputs[0], layer.attributes.whole("axis"), extra=1))


@handles("squeeze")
def squeeze(net: Net, layer: Layer) -> str:
    data = layer.inputs[0]
    axes = [net.axis(data, axis) for axis in layer.attributes.dims("axis")]
    if not axes:
        axes = [axis for axis, size in enumerate(net.sizes(data)) if size == 1]
    return net.squeeze(data, *axes)


@handles("Concat", "concat", "_sparse_concat", "_rnn_param_concat")
def concat(net: Net, layer: Layer) -> str:
    layer.attributes.ignore("num_args")
    return net.add("Concat", *layer.inputs, axis=net.axis(layer.inputs[0], layer.attributes.whole("dim", 1)))


@handles("stack")
def stack(net: Net, layer: Layer) -> str:
    layer.attributes.ignore("num_args")
    axis = net.axis(layer.inputs[0], layer.attributes.whole("axis", 0), extra=1)
    return net.add("Concat", *(net.unsqueeze(each, axis) for each in layer.inputs), axis=axis)


@handles("SliceChannel", "split")
def split(net: Net, layer: Layer) -> list[str]:
    data, a = layer.inputs[0], layer.attributes
    count, axis = a.whole("num_outputs"), net.axis(data, a.whole("axis", 1))
    if not 1 <= count <= MAX_PARTS or net.size(data, axis) % count:
        raise Refused(f"{net.size(data, axis)} cannot be split into {count} equal parts")
    parts = net.add_many("Split", count, data, axis=axis, num_outputs=count)
    return [net.squeeze(part, axis) for part in parts] if a.flag("squeeze_axis") else parts


@handles("_split_v2")
def split_at(net: Net, layer: Layer) -> list[str]:
    """At the indices (the first of them is 0), or into equal sections."""
    data, a = layer.inputs[0], layer.attributes
    axis, sections = net.axis(data, a.whole("axis", 1)), a.whole("sections", 0)
    size, indices = net.size(data, axis), a.dims("indices")
    if not 0 <= sections <= MAX_PARTS or (sections and size % sections):
        raise Refused(f"{size} cannot be split into {sections} equal parts")
    begins = [part * size // sections for part in range(sections)] if sections else list(indices)
    parts = [net.slice(data, axis, begin, end) for begin, end in zip(begins, [*begins[1:], size], strict=True)]
    return [net.squeeze(part, axis) for part in parts] if a.flag("squeeze_axis") else parts


@handles("slice_axis")
def slice_axis(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    end = a.whole_or_none("end")
    return net.slice(data, net.axis(data, a.whole("axis")), a.whole("begin"), _END if end is None else end)


@handles("slice", "crop", "_sparse_slice")
def slice_(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    begins, ends, steps = (a.dims_or_none(key) or () for key in ("begin", "end", "step"))
    if len(begins) != len(ends) or len(begins) > net.rank(data) or (steps and len(steps) != len(begins)):
        raise Refused("begin, end and step do not fit the input")
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        step = (steps[axis] if steps else None) or 1
        if (begin, end, step) != (None, None, 1):
            first = begin if begin is not None else 0 if step > 0 else _END
            last = end if end is not None else _END if step > 0 else -_END
            data = net.slice(data, axis, first, last, step)
    return data


@handles("slice_like")
def slice_like(net: Net, layer: Layer) -> str:
    data, like = layer.inputs
    axes = [net.axis(data, axis) for axis in layer.attributes.dims("axes")] or list(range(net.rank(data)))
    for axis in axes:
        if net.shape(data)[axis] != net.shape(like)[axis] or net.shape(data)[axis] is None:
            data = net.slice(data, axis, 0, net.size(like, axis))
    return data


@handles("Crop")
def crop(net: Net, layer: Layer) -> str:
    """Height and width, given or those of the second input."""
    a, data = layer.attributes, layer.inputs[0]
    a.ignore("num_args")
    offset, wanted = a.dims("offset", (0, 0)), a.dims("h_w", (0, 0))
    if len(layer.inputs) == 2:
        wanted = (net.size(layer.inputs[1], 2), net.size(layer.inputs[1], 3))
    centred = a.flag("center_crop")
    for place, size in enumerate(wanted):
        whole = net.size(data, 2 + place)
        begin = (whole - size) // 2 if centred else offset[place]
        if begin < 0 or begin + size > whole:
            raise Refused(f"{size} from {begin} on cannot be cropped out of {whole}")
        data = net.slice(data, 2 + place, begin, begin + size)
    return data


@handles("reverse", "flip")
def reverse(net: Net, layer: Layer) -> str:
    data = layer.inputs[0]
    for axis in layer.attributes.dims("axis"):
        data = net.slice(data, net.axis(data, axis), _END, -_END, -1)
    return data


@handles("tile")
def tile(net: Net, layer: Layer) -> str:
    data, times = layer.inputs[0], list(layer.attributes.dims("reps"))
    if min(times, default=1) < 1:
        raise Refused(f"tile {times} times", kind="unsupported")
    missing = len(times) - net.rank(data)
    data = net.unsqueeze(data, *range(missing)) if missing > 0 else data
    return net.add("Tile", data, net.ints(*[1] * -missing, *times))


@handles("repeat")
def repeat(net: Net, layer: Layer) -> str:
    """Each element several times over: a new axis behind it, tiled and merged."""
    data, a = layer.inputs[0], layer.attributes
    count, axis = a.whole("repeats"), a.whole_or_none("axis")
    if axis is None:
        data, axis = net.reshape(data, [list(range(net.rank(data)))]), 0
    axis = net.axis(data, axis)
    rank = net.rank(data)
    wide = net.unsqueeze(data, axis + 1)
    tiled = net.add("Tile", wide, net.ints(*(count if place == axis + 1 else 1 for place in range(rank + 1))))
    groups = [[place] for place in range(axis)] + [[axis, axis + 1]] + [[p] for p in range(axis + 2, rank + 1)]
    return net.reshape(tiled, list(groups))


@handles("Pad", "pad")
def pad(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    mode = a.choice("mode", "constant", "edge", "reflect")
    widths, value = a.dims("pad_width"), a.real("constant_value", 0.0)
    if len(widths) != 2 * net.rank(data):
        raise Refused(f"pad_width {widths} on a tensor with {net.rank(data)} dims")
    pads = net.ints(*widths[0::2], *widths[1::2])
    return net.add("Pad", data, pads, *([net.like(value, data)] if mode == "constant" else []), mode=mode)


@handles("depth_to_space")
def depth_to_space(net: Net, layer: Layer) -> str:
    return net.add("DepthToSpace", layer.inputs[0], blocksize=layer.attributes.whole("block_size"))


@handles("space_to_depth")
def space_to_depth(net: Net, layer: Layer) -> str:
    return net.add("SpaceToDepth", layer.inputs[0], blocksize=layer.attributes.whole("block_size"))


@handles("broadcast_axis", "broadcast_axes")
def broadcast_axis(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    axes, sizes = a.dims("axis"), a.dims("size")
    if len(axes) != len(sizes):
        raise Refused("axis and size have different numbers of members")
    shape = [1] * net.rank(data)
    for axis, size in zip(axes, sizes, strict=True):
        shape[net.axis(data, axis)] = size
    return net.add("Expand", data, net.ints(*shape))


@handles("broadcast_to")
def broadcast_to(net: Net, layer: Layer) -> str:
    """0 keeps a dim."""
    return net.add("Expand", layer.inputs[0], net.ints(*(size or 1 for size in layer.attributes.dims("shape"))))


@handles("broadcast_like")
def broadcast_like(net: Net, layer: Layer) -> str:
    data, like = layer.inputs
    a = layer.attributes
    mine, theirs = a.dims("lhs_axes"), a.dims("rhs_axes")
    if not mine:
        return net.add("Expand", data, net.add("Shape", like))
    if len(mine) != len(theirs):
        raise Refused("lhs_axes and rhs_axes have different numbers of members")
    shape = [1] * net.rank(data)
    for one, other in zip(mine, theirs, strict=True):
        shape[net.axis(data, one)] = net.size(like, net.axis(like, other))
    return net.add("Expand", data, net.ints(*shape))


@handles("reshape_like")
def reshape_like(net: Net, layer: Layer) -> str:
    data, like = layer.inputs
    a = layer.attributes
    mine = (a.whole("lhs_begin", 0), a.whole("lhs_end", net.rank(data)))
    theirs = (a.whole("rhs_begin", 0), a.whole("rhs_end", net.rank(like)))
    first, last = (each % (net.rank(data) + 1) if each < 0 else each for each in mine)
    begin, end = (each % (net.rank(like) + 1) if each < 0 else each for each in theirs)
    own, other = net.shape(data), net.shape(like)
    if (first, last, begin, end) == (0, len(own), 0, len(other)):
        return net.know(net.add("Reshape", data, net.add("Shape", like)), other)
    if begin > 0 or None in other[begin:end] or not all(isinstance(dim, int) for dim in other[begin:end]):
        sizes = [net.size(like, axis) for axis in range(begin, end)]
        return net.reshape(data, [*([axis] for axis in range(first)), *sizes, *([a] for a in range(last, len(own)))])
    middle = [int(dim) for dim in other[begin:end] if isinstance(dim, int)]
    if math.prod(middle) <= 0:
        raise Refused("an empty tensor")
    return net.reshape(data, [*([axis] for axis in range(first)), *middle, *([axis] for axis in range(last, len(own)))])


@handles("shape_array")
def shape_array(net: Net, layer: Layer) -> str:
    return net.add("Shape", layer.inputs[0])


@handles("size_array")
def size_array(net: Net, layer: Layer) -> str:
    return net.unsqueeze(net.add("Size", layer.inputs[0]), 0)


@handles("diag")
def diag(net: Net, layer: Layer) -> str:
    """The diagonal of a matrix, or a matrix of a vector."""
    data, a = layer.inputs[0], layer.attributes
    offset, axes = a.whole("k", 0), (a.whole("axis1", 0), a.whole("axis2", 1))
    sizes = net.sizes(data)
    if len(sizes) == 1 and abs(offset) < 1 << 16:
        side = sizes[0] + abs(offset)
        places = np.arange(sizes[0])
        index = np.stack([places + max(-offset, 0), places + max(offset, 0)], 1)
        zeros = net.add("Expand", net.like(0, data), net.ints(side, side))
        return net.add("ScatterND", zeros, net.constant(index.astype(np.int64)), data)
    if len(sizes) != 2 or axes != (0, 1):
        raise Refused("diag of more than two dims is not supported", kind="unsupported")
    count = min(sizes[0] - max(-offset, 0), sizes[1] - max(offset, 0))
    places = np.arange(max(count, 0))
    index = np.stack([places + max(-offset, 0), places + max(offset, 0)], 1)
    return net.add("GatherND", data, net.constant(index.astype(np.int64)))
