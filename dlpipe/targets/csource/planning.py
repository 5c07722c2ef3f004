"""Where each tensor lies in one block of RAM: two share a place where they are not needed at once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..tflite.graph import Graph, Tensor

ALIGNMENT = 8
_ALIASES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")  # the same numbers in the same order


@dataclass(frozen=True)
class Plan:
    """`offset`: of a tensor in the block, in bytes; `same`: a tensor -> the one whose memory it has. Keys are `id`s."""

    offset: Mapping[int, int]
    same: Mapping[int, Tensor]
    size: int

    def home(self, tensor: Tensor) -> Tensor:
        while id(tensor) in self.same:
            tensor = self.same[id(tensor)]
        return tensor


def size(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64)) * np.dtype(tensor.dtype).itemsize


def plan(graph: Graph) -> Plan:
    """Inputs, outputs and constants are not in the block. The largest tensors are placed first, each at the lowest
    offset that is free as long as it is needed."""
    outside = {id(tensor) for tensor in [*graph.inputs.values(), *graph.outputs.values()]}
    same: dict[int, Tensor] = {}
    for op in graph.ops:
        source, made = op.inputs[0], op.outputs[0]
        if op.kind in _ALIASES and source is not None and source.data is None and id(made) not in outside:
            same[id(made)] = source
    empty = Plan({}, same, 0)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    tensors: dict[int, Tensor] = {}
    for index, op in enumerate(graph.ops):
        for tensor in [*op.inputs, *op.outputs]:
            if tensor is None:
                continue
            home = empty.home(tensor)
            if home.data is None and id(home) not in outside:
                tensors[id(home)] = home
                first.setdefault(id(home), index)
                last[id(home)] = index
    offset: dict[int, int] = {}
    order = sorted(tensors.values(), key=lambda each: (-size(each), first[id(each)]))
    for tensor in order:
        key = id(tensor)
        taken = sorted(
            (offset[other], offset[other] + _whole(tensors[other]))
            for other in offset
            if first[other] <= last[key] and first[key] <= last[other]
        )
        place = 0
        for begin, end in taken:
            if place + _whole(tensor) <= begin:
                break
            place = max(place, end)
        offset[key] = place
    return Plan(offset, same, max((offset[key] + _whole(tensors[key]) for key in offset), default=0))


def _whole(tensor: Tensor) -> int:
    return -(-size(tensor) // ALIGNMENT) * ALIGNMENT
