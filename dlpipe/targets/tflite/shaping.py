"""Operators that move values and leave them as they are: 8-bit levels pass through."""

import numpy as np

from .elementwise import arranged
from .handlers import handles
from .reading import Node
from .scope import Scope, plain


def _axis(node: Node, rank: int, default: int = 0) -> int:
    return int(node.get("axis", default)) % rank


@handles("Transpose")
def _transpose(s: Scope, node: Node) -> None:
    found = s.value(node.inputs[0])
    perm = node.get("perm") or list(range(len(found.order)))[::-1]
    s.bind(node.outputs[0], found.tensor, tuple(found.order[axis] for axis in perm), levels=found.levels)


@handles("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(s: Scope, node: Node) -> None:
    found, name, shape = s.value(node.inputs[0]), node.outputs[0], s.shape(node.outputs[0])
    if _only_connected(s, name) and len(shape) == 2 and shape[0] == found.tensor.shape[0] == found.shape[0]:
        # The weights behind it are put into the order in which the values lie.
        where = np.arange(int(np.prod(found.shape[1:]))).reshape(found.shape[1:])
        back = [found.order.index(axis) - 1 for axis in range(1, len(found.order))]
        tensor = s.reshaped(found.tensor, shape, name)
        shuffle = where.transpose(back).reshape(-1) if found.order != plain(len(found.order)) else None
        s.bind(name, tensor, levels=found.levels, shuffle=shuffle)
        return
    s.bind(name, s.reshaped(s.plainly(found), shape, name), levels=found.levels)


def _only_connected(s: Scope, name: str) -> bool:
    """Read by nothing but products with a stored matrix."""
    readers = s.readers.get(name, [])
    if not readers or name in s.source.outputs:
        return False
    for each in readers:
        matrix = each.inputs[1] if len(each.inputs) > 1 else ""
        stored = matrix in s.source.constants or _stored_levels(s, matrix)
        if each.op not in ("Gemm", "MatMul") or each.get("transA", 0) or each.inputs[0] != name or not stored:
            return False
    return True


def _stored_levels(s: Scope, name: str) -> bool:
    return name in s.weights or any(
        name in node.outputs and node.op == "DequantizeLinear" and node.inputs[0] in s.source.constants
        for node in s.source.nodes
    )


@handles("Concat")
def _concat(s: Scope, node: Node) -> None:
    name, shape = node.outputs[0], s.shape(node.outputs[0])
    rank, tail = len(shape), s.tail(node, fused=False)
    values = [s.value(each) for each in node.inputs]
    quants = {value.tensor.quant for value in values if value.is_int8}
    integers = all(value.is_int8 for value in values) and (tail.quant is not None or len(quants) == 1)
    if not integers:
        tail = s.unrounded(tail)
        values = [s.real(each) for each in node.inputs]
    orders = [value.order for value in values if value.tensor.data is None]
    order = next((each for each in orders if each != plain(rank)), plain(rank))
    tensors = [s.laid(value, order) for value in values]
    quant = (tail.quant or quants.pop()) if integers else None
    if quant is not None:
        tensors = [s.rounded(tensor, quant) for tensor in tensors]
    dtype = "int8" if integers else s.dtype(name)
    axis = order[_axis(node, rank)]
    made = s.emit("CONCATENATION", tensors, arranged(shape, order), dtype, name=name, quant=quant, axis=axis)
    s.bind_tail(tail, made, order)


@handles("Split")
def _split(s: Scope, node: Node) -> None:
    found = s.value(node.inputs[0])
    axis = found.order[_axis(node, len(found.order))]
    sizes = [s.shape(name)[_axis(node, len(found.order))] for name in node.outputs]
    tensor = found.tensor
    shapes = [[size if place == axis else dim for place, dim in enumerate(tensor.shape)] for size in sizes]
    outputs = [(name or node.name, shape, tensor.dtype) for name, shape in zip(node.outputs, shapes, strict=True)]
    first = node.outputs[0] or node.name
    inputs = [tensor, s.ints(first + "/sizes", sizes), s.store(first + "/axis", np.asarray(axis, np.int32))]
    made = s.emit_many("SPLIT_V", inputs, outputs, tensor.quant, numSplits=len(outputs))
    for name, each in zip(node.outputs, made, strict=True):
        if name:
            s.bind(name, each, found.order, levels=found.levels)


@handles("Slice")
def _slice(s: Scope, node: Node) -> None:
    found, name = s.value(node.inputs[0]), node.outputs[0]
    rank = len(found.order)
    if "starts" in node.attributes:
        starts, ends, axes, steps = node.get("starts"), node.get("ends"), node.get("axes"), None
    else:
        starts, ends = s.needed(node, 1, "where it starts"), s.needed(node, 2, "where it ends")
        axes, steps = s.maybe(node, 3, "its axes"), s.maybe(node, 4, "its steps")
    begin, end, stride, ends_mask = [0] * rank, list(found.tensor.shape), [1] * rank, 0
    for index in range(len(starts)):
        axis = found.order[int(axes[index]) % rank if axes is not None else index]
        step, dim = int(steps[index]) if steps is not None else 1, found.tensor.shape[axis]
        first, last = int(starts[index]), int(ends[index])
        first, last = (each + dim if each < 0 else each for each in (first, last))
        if step > 0:
            begin[axis], end[axis] = min(max(first, 0), dim), min(max(last, 0), dim)
        else:
            begin[axis], end[axis] = min(max(first, 0), dim - 1), max(last, -1)
            if end[axis] < 0:
                end[axis], ends_mask = 0, ends_mask | 1 << axis
        stride[axis] = step
    if all(each == 1 for each in stride):
        sizes = [last - first for first, last in zip(begin, end, strict=True)]
        inputs = [found.tensor, s.ints(name + "/begin", begin), s.ints(name + "/size", sizes)]
        made = s.emit("SLICE", inputs, sizes, found.tensor.dtype, name=name, quant=found.tensor.quant)
    else:
        shape = arranged(s.shape(name), found.order)
        inputs = [
            found.tensor,
            *(s.ints(f"{name}/{what}", each) for what, each in (("begin", begin), ("end", end), ("strides", stride))),
        ]
        made = s.emit(
            "STRIDED_SLICE", inputs, shape, found.tensor.dtype, name=name, quant=found.tensor.quant, endMask=ends_mask
        )
    s.bind(name, made, found.order, levels=found.levels)


@handles("Gather")
def _gather(s: Scope, node: Node) -> None:
    found, name = s.value(node.inputs[0]), node.outputs[0]
    rank = len(found.order)
    axis = _axis(node, rank)
    tensor = s.plainly(found)
    size = tensor.shape[axis]
    stored = s.constant(node.inputs[1])
    if stored is not None:
        where = np.where(stored < 0, stored + size, stored).astype(np.int32)
        indices = s.store(name + "/indices", where)
    else:  # from the end, where negative
        given = s.plainly(s.real(node.inputs[1]))
        wrap = s.store("size", np.asarray(size, given.dtype))
        indices = s.emit("FLOOR_MOD", [given, wrap], given.shape, given.dtype, name=name + "/indices")
    made = s.emit("GATHER", [tensor, indices], s.shape(name), tensor.dtype, name=name, quant=tensor.quant, axis=axis)
    s.bind(name, made, levels=found.levels)


@handles("GatherND")
def _gather_nd(s: Scope, node: Node) -> None:
    if node.get("batch_dims", 0):
        raise node.refuse("has batch_dims, which GATHER_ND has not")
    found, name = s.real(node.inputs[0]), node.outputs[0]
    tensor, stored = s.plainly(found), s.needed(node, 1, "where it gathers")
    sizes = np.array(tensor.shape[: stored.shape[-1]])
    where = s.store(name + "/indices", np.where(stored < 0, stored + sizes, stored).astype(np.int32))
    s.bind(name, s.emit("GATHER_ND", [tensor, where], s.shape(name), tensor.dtype, name=name))


@handles("Expand")
def _expand(s: Scope, node: Node) -> None:
    found, name, shape = s.real(node.inputs[0]), node.outputs[0], s.shape(node.outputs[0])
    tensor = s.plainly(found)
    made = s.emit("BROADCAST_TO", [tensor, s.ints(name + "/shape", shape)], shape, tensor.dtype, name=name)
    s.bind(name, made)


@handles("Tile")
def _tile(s: Scope, node: Node) -> None:
    found, name = s.value(node.inputs[0]), node.outputs[0]
    repeats = arranged(list(map(int, s.needed(node, 1, "how often it repeats"))), found.order)
    shape = [dim * times for dim, times in zip(found.tensor.shape, repeats, strict=True)]
    made = s.emit(
        "TILE", [found.tensor, s.ints(name + "/times", repeats)], shape, found.tensor.dtype, name=name,
        quant=found.tensor.quant,
    )  # fmt: skip
    s.bind(name, made, found.order, levels=found.levels)


@handles("Pad")
def _pad(s: Scope, node: Node) -> None:
    found, name, mode = s.value(node.inputs[0]), node.outputs[0], node.get("mode", "constant")
    rank = len(found.order)
    given = node.get("pads") if "pads" in node.attributes else s.needed(node, 1, "how much it pads")
    axes = s.maybe(node, 3, "its axes")
    axes = np.arange(rank) if axes is None else axes
    pads = np.zeros((rank, 2), np.int64)
    for index, axis in enumerate(axes):
        pads[found.order[int(axis) % rank]] = given[index], given[index + len(axes)]
    if (pads < 0).any():
        raise node.refuse("cuts away (a negative padding), which PAD does not")
    value = s.maybe(node, 2, "what it pads with")
    filling = float(value.reshape(())) if value is not None and value.size else float(node.get("value", 0.0))
    if mode not in ("constant", "reflect"):
        raise node.refuse(f"pads by {mode}, and TFLite has constant and reflect")
    if found.is_int8 and filling != 0.0 and mode == "constant":
        found = s.real(node.inputs[0])
    tensor = found.tensor
    shape = [dim + int(pad.sum()) for dim, pad in zip(tensor.shape, pads, strict=True)]
    inputs = [tensor, s.ints(name + "/pads", pads)]
    kind = {"reflect": "MIRROR_PAD"}.get(mode, "PAD")
    if mode == "constant" and filling != 0.0:
        kind = "PADV2"
        inputs.append(s.store(name + "/value", np.asarray(filling, tensor.dtype)))
    made = s.emit(kind, inputs, shape, tensor.dtype, name=name, quant=tensor.quant)
    s.bind(name, made, found.order, levels=found.levels)


@handles("CumSum")
def _cumsum(s: Scope, node: Node) -> None:
    found = s.real(node.inputs[0])
    axis = int(s.needed(node, 1, "its axis").reshape(())) % len(found.order)
    inputs = [found.tensor, s.store("axis", np.asarray(found.order[axis], np.int32))]
    s.alike(
        node, found, "CUMSUM", inputs, exclusive=bool(node.get("exclusive", 0)), reverse=bool(node.get("reverse", 0))
    )


@handles("DepthToSpace", "SpaceToDepth")
def _depth(s: Scope, node: Node) -> None:
    """Channels last, ONNX's DCR is TFLite's order."""
    if node.op == "DepthToSpace" and node.get("mode", "DCR") != "DCR":
        _column_row_depth(s, node)
        return
    found, name = s.value(node.inputs[0]), node.outputs[0]
    tensor, order = s.laid(found, (0, 3, 1, 2)), (0, 3, 1, 2)
    kind = "DEPTH_TO_SPACE" if node.op == "DepthToSpace" else "SPACE_TO_DEPTH"
    shape = arranged(s.shape(name), order)
    made = s.emit(kind, [tensor], shape, tensor.dtype, name=name, quant=tensor.quant, blockSize=node.get("blocksize"))
    s.bind(name, made, order, levels=found.levels)


def _column_row_depth(s: Scope, node: Node) -> None:
    """CRD: the channels are put into DCR's order before."""
    found, name, block = s.value(node.inputs[0]), node.outputs[0], node.get("blocksize")
    tensor, order = s.laid(found, (0, 3, 1, 2)), (0, 3, 1, 2)
    depth = tensor.shape[3]
    where = np.arange(depth).reshape(depth // block**2, block, block).transpose(1, 2, 0).reshape(-1)
    turned = s.emit(
        "GATHER", [tensor, s.ints(name + "/channels", where)], tensor.shape, tensor.dtype, name=name + "/turned",
        quant=tensor.quant, axis=3,
    )  # fmt: skip
    shape = arranged(s.shape(name), order)
    made = s.emit("DEPTH_TO_SPACE", [turned], shape, tensor.dtype, name=name, quant=tensor.quant, blockSize=block)
    s.bind(name, made, order, levels=found.levels)
