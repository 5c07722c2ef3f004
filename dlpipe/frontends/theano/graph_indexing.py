"""Indexing in Theano's graphs, and the vectors of whole numbers that shapes are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import pickled_graph as pickled
from .unpickling import Record

_END = np.iinfo(np.int64).max


def make_vector(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """Scalars -> a vector of them."""
    del op, outputs
    axes = walk.graph.constant(np.array([0], np.int64), f"{name}/axes")
    parts = []
    for each in inputs:
        whole = walk.cast(walk.name(each), pickled.dtype_of(each), "int64", name)
        parts.append(walk.add("Unsqueeze", [whole, axes], f"{name}/part"))
    return [walk.add("Concat", parts, name, axis=0)]


def advanced(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """Rows by a vector of indices: an embedding."""
    del op, outputs
    return [walk.add("Gather", [walk.name(each) for each in inputs], name, axis=0)]


def subtensor(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    """x[1:, ::2, 3]: `idx_list` has an entry per axis, whose types stand for the inputs behind x, in order."""
    del outputs
    value, numbers = walk.name(inputs[0]), list(inputs[1:])

    def bound(entry: Any, default: int) -> str:
        if entry is None:
            return str(walk.graph.constant(np.array([default], np.int64), f"{name}/bound"))
        if isinstance(entry, Record):
            variable = numbers.pop(0)
            whole = walk.cast(walk.name(variable), pickled.dtype_of(variable), "int64", name)
            one = walk.graph.constant(np.array([1], np.int64), f"{name}/one")
            return str(walk.add("Reshape", [whole, one], f"{name}/bound"))
        return str(walk.graph.constant(np.array([int(entry)], np.int64), f"{name}/bound"))

    picked = []
    for axis, entry in enumerate(op["idx_list"]):
        where = walk.graph.constant(np.array([axis], np.int64), f"{name}/axis")
        if isinstance(entry, slice):
            if (entry.start, entry.stop, entry.step) == (None, None, None):
                continue
            backwards = _is_backwards(entry.step, numbers, entry)
            start = bound(entry.start, _END if backwards else 0)
            stop = bound(entry.stop, -_END if backwards else _END)
            step = bound(entry.step, 1)
            value = walk.add("Slice", [value, start, stop, where, step], name)
        else:
            index = bound(entry, 0)
            value = walk.add("Gather", [value, index], f"{name}/pick", axis=axis)
            picked.append(axis)
    if picked:
        axes = walk.graph.constant(np.array(picked, np.int64), f"{name}/picked")
        value = walk.add("Squeeze", [value, axes], name)
    return [value]


def _is_backwards(step: Any, numbers: list[Any], entry: slice) -> bool:
    """Whether the step is negative, which decides what a missing bound means."""
    if step is None:
        return False
    if not isinstance(step, Record):
        return int(step) < 0
    place = sum(isinstance(each, Record) for each in (entry.start, entry.stop))
    found = pickled.array_of(numbers[place])
    if found is None:
        raise Refused("a slice's step is computed in the graph", kind="unsupported", op="Subtensor")
    return bool(found < 0)
