"""What a model is fed: which variables are inputs, and their shapes, which most symbols do not state.

A shape is taken from the user, else from the symbol (`__shape__`), else from the weights of the layer that the input
goes to: these settle channels or features, and the flattened size behind them often the height and width too. What
remains open is chosen by trying the usual image sizes, and told to the user.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import naming
from .attributes import Attributes
from .symbol import Node, Symbol

BATCH, TIME = "N", "T"
Shape = list["int | str"]

_USUAL = (224, 299, 227, 28, 32, 112, 64, 96, 128, 256, 300, 320, 331, 416, 512, 12, 24, 48, 20, 40, 80, 100, 160, 192)
_SMALL_NET = 300  # nodes up to which every other size is tried as well
_MOST = 512
_LITTLE = 4
# Layers that leave the shape as it is: what is behind them tells.
_THROUGH = {
    *("BlockGrad", "Dropout", "Activation", "LeakyReLU", "BatchNorm", "identity", "_copy", "Cast", "amp_cast", "clip"),
    *("relu", "sigmoid", "tanh", "negative", "square", "sqrt", "abs", "InstanceNorm", "L2Normalization", "LRN", "Pad"),
    *("_plus_scalar", "_minus_scalar", "_mul_scalar", "_div_scalar", "_rminus_scalar"),
    *("_PlusScalar", "_MinusScalar", "_MulScalar", "_DivScalar", "_Plus", "_Minus", "_Mul", "_image_normalize"),
    *("broadcast_add", "broadcast_sub", "broadcast_mul", "broadcast_div", "broadcast_minus", "broadcast_plus"),
    *("elemwise_add", "elemwise_sub", "SequenceMask", "Flatten", "flatten"),
}


def needed(symbol: Symbol, heads: Sequence[tuple[int, int]]) -> list[Node]:
    """The variables that the outputs depend on, labels left out, in the order of the file."""
    open_, seen = [head[0] for head in heads], set[int]()
    while open_:
        number = open_.pop()
        if number not in seen:
            seen.add(number)
            node = symbol.nodes[number]
            entries = node.inputs[:1] if node.op in naming.LOSSES else node.inputs
            open_.extend(each for each, _ in entries)
    return [symbol.nodes[number] for number in sorted(seen) if symbol.nodes[number].op == "null"]


def dtype(node: Node, arrays: Mapping[str, Any]) -> Any:
    """What the symbol says, else the type of the weights."""
    stated = Attributes(node.attributes).whole_or_none("__dtype__")
    types = {0: "float32", 1: "float64", 2: "float16", 3: "uint8", 4: "int32", 5: "int8", 6: "int64"}
    if stated in types:
        return np.dtype(types[stated])
    floats = {array.dtype for array in arrays.values() if array.dtype.kind == "f"}
    return floats.pop() if len(floats) == 1 else np.dtype(np.float32)


def stated(node: Node) -> Shape | None:
    """The shape in the symbol; a first dim of 0 is the free batch. None where it leaves others open."""
    dims = Attributes(node.attributes).dims("__shape__")
    if not dims or any(dim < 0 for dim in dims) or not all(dims[1:]):
        return None
    return [dims[0] or BATCH, *dims[1:]]


def candidates(symbol: Symbol, arrays: Mapping[str, Any], node: Node) -> list[Shape]:
    """Shapes that the first layers would take, the likeliest first. Raises Refused where nothing tells."""
    for consumer, slot, change in _consumers(symbol, node):
        found = list(_shapes(symbol, arrays, consumer, slot))
        if found:
            return [_undo(change, shape) for shape in found]
    raise Refused(
        f"the symbol does not say the shape of its input {node.name!r}, and nothing in it tells",
        hint=f"give it: --input {node.name}:1x3x224x224 (with the real shape)",
        node=node.name,
    )


Change = tuple[tuple[str, tuple[int, ...]], ...]  # the turns on the way, the first first


def _consumers(symbol: Symbol, node: Node) -> Iterator[tuple[Node, int, Change]]:
    """(layer, which of its inputs, turns of axes on the way): those that say something, looking through others."""
    start = next(number for number, each in enumerate(symbol.nodes) if each is node)
    on_the_way: dict[int, Change] = {start: ()}
    for number, each in enumerate(symbol.nodes):
        for slot, (source, _) in enumerate(each.inputs):
            if source not in on_the_way:
                continue
            change = on_the_way[source]
            attributes = Attributes(each.attributes)
            if each.op in ("SwapAxis", "swapaxes"):
                turn = (attributes.whole("dim1", 0), attributes.whole("dim2", 0))
                on_the_way[number] = (*change, ("swap", turn))
            elif each.op == "transpose":
                on_the_way[number] = (*change, ("transpose", attributes.dims("axes")))
            elif each.op in _THROUGH:
                on_the_way.setdefault(number, change)
            else:
                yield each, slot, change


def _undo(change: Change, shape: Shape) -> Shape:
    """The shape before the turns."""
    for kind, axes in reversed(change):
        if kind == "swap":
            one, other = axes
            if max(one, other) < len(shape):
                shape = list(shape)
                shape[one], shape[other] = shape[other], shape[one]
        else:
            order = axes or tuple(range(len(shape)))[::-1]
            if sorted(order) == list(range(len(shape))):
                shape = [shape[order.index(axis)] for axis in range(len(shape))]
    return shape


def _shapes(symbol: Symbol, arrays: Mapping[str, Any], layer: Node, slot: int) -> Iterator[Shape]:
    attributes = Attributes(layer.attributes)
    weights = [arrays.get(symbol.nodes[source].name) for source, _ in layer.inputs]
    weight = weights[1] if len(weights) > 1 else None
    if layer.op == "RNN":
        yield from _recurrent(symbol, arrays, layer, slot, attributes)
    elif slot != 0 or weight is None:
        return
    elif layer.op in ("Convolution", "Convolution_v1", "Deconvolution"):
        rank = len(attributes.dims("kernel"))
        channels = weight.shape[1] * attributes.whole("num_group", 1)
        if layer.op == "Deconvolution":
            channels = weight.shape[0]
        yield from _images(channels, rank, symbol)
    elif layer.op in ("FullyConnected", "_sparse_FullyConnected"):
        yield [BATCH, weight.shape[-1]]
    elif layer.op in ("Embedding", "_sparse_Embedding", "_contrib_SparseEmbedding"):
        yield [BATCH, TIME]
        for steps in _unrolled(symbol):
            yield [BATCH, steps]
        yield [BATCH, 1]
        yield [BATCH]


def _unrolled(symbol: Symbol) -> list[int]:
    """Into how many steps a sequence is taken apart, where an RNN was written out."""
    found: set[int] = set()
    for node in symbol.nodes:
        attributes = Attributes(node.attributes)
        if node.op in ("SliceChannel", "split") and attributes.flag("squeeze_axis"):
            found.add(attributes.whole("num_outputs", 1))
    return sorted(found)


def _images(channels: int, rank: int, symbol: Symbol) -> Iterator[Shape]:
    if rank == 1:
        yield [BATCH, channels, TIME]
    if rank == 3:
        yield from ([BATCH, channels, frames, size, size] for frames in (16, 32, 8) for size in (112, 224, 64))
        return
    first = (28, 32) if channels == 1 else (32,) if _reduction(symbol) <= _LITTLE else ()
    sizes = [*first, *(size for size in _USUAL if size not in first)]
    rest = [size for size in range(1, _MOST + 1) if size not in sizes] if len(symbol.nodes) <= _SMALL_NET else []
    for size in (*sizes, *rest):
        yield [BATCH, channels, *[size] * rank]


def _reduction(symbol: Symbol) -> int:
    """By how much strides make an image smaller: nets for images of 32 x 32 (CIFAR) do it by 4, those for 224 by 32."""
    found: list[int] = []
    for node in symbol.nodes:
        stride = 1
        if node.op in ("Convolution", "Convolution_v1", "Pooling", "Pooling_v1"):
            attributes = Attributes(node.attributes)
            if not attributes.flag("global_pool"):
                stride = max(attributes.dims("stride", (1,)), default=1)
        found.append(max((found[source] for source, _ in node.inputs), default=1) * min(max(stride, 1), 1 << 16))
        found[-1] = min(found[-1], 1 << 32)
    return max(found, default=1)


def _recurrent(
    symbol: Symbol, arrays: Mapping[str, Any], layer: Node, slot: int, attributes: Attributes
) -> Iterator[Shape]:
    hidden, layers = attributes.whole("state_size", 1), attributes.whole("num_layers", 1)
    directions = 2 if attributes.flag("bidirectional") else 1
    gates = {"lstm": 4, "gru": 3}.get(attributes.text("mode", "lstm"), 1)
    if slot >= 2:
        yield [layers * directions, BATCH, hidden]
        return
    size = _stored(symbol, arrays, layer.inputs[1][0])
    rows = gates * hidden * directions
    above = (layers - 1) * rows * (hidden * directions + hidden + 2)
    if slot == 0 and rows > 0 and (size - above) % rows == 0:
        width = (size - above) // rows - hidden - 2
        if width > 0:
            yield [TIME, BATCH, width]
            yield [1, BATCH, width]


def _stored(symbol: Symbol, arrays: Mapping[str, Any], number: int) -> int:
    """How many numbers of weights stand behind a node."""
    open_, found = [number], 0
    for _ in range(1 << 12):
        if not open_:
            break
        node = symbol.nodes[open_.pop()]
        if node.op == "null" and node.name in arrays:
            found += math.prod(arrays[node.name].shape)
        open_.extend(each for each, _ in node.inputs)
    return found
