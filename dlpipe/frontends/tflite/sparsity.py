"""Weights of which only those are stored that are not zero (the schema's SparsityParameters).

The values are the leaves of a tree. Its levels are the dims in the order of traversal, then dims within blocks. A dense
level has all its indices below every node, a sparse one only those listed: node i has the children
indices[segments[i]:segments[i + 1]].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.flatbuffer import Table, damaged

MAX_ELEMENTS = 1 << 27  # of one dense tensor: few stored values may claim any shape
_VECTORS = {1: "int32", 2: "uint16", 3: "uint8"}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Level:
    """`size`: of a dense level. A sparse one has `segments` and `indices`."""

    size: int
    segments: Array | None = None
    indices: Array | None = None


@dataclass(frozen=True)
class Sparsity:
    """`order[i]`: the dim of level i; from the tensor's rank on they are dims of blocks, of the dims `blocks`."""

    order: tuple[int, ...]
    blocks: tuple[int, ...]
    levels: tuple[Level, ...]


def read_sparsity(table: Table) -> Sparsity:
    order, blocks = (tuple(table.array(slot, "int32").tolist()) for slot in (0, 1))
    return Sparsity(order, blocks, tuple(_levels(table)))


def _levels(table: Table) -> Iterator[Level]:
    for each in table.tables(2):
        if each.number(0, "int8"):
            yield Level(0, _vector(each, 2), _vector(each, 4))
        else:
            yield Level(each.number(1, "int32"))


def _vector(table: Table, slot: int) -> Array:
    """A union of vectors of three widths: its type, then the table."""
    kind, found = _VECTORS.get(table.number(slot, "uint8")), table.table(slot + 1)
    if kind is None or found is None:
        raise damaged("a sparse tensor lacks its indices")
    return found.array(0, kind).astype(np.int64)


def places(sparsity: Sparsity, shape: tuple[int, ...], count: int, name: str) -> Array:
    """Where each of the `count` stored values is in the dense tensor, as a flat index."""
    if math.prod(shape) > MAX_ELEMENTS:
        raise Refused(f"the sparse weights {name!r} would have {math.prod(shape):,} elements", kind="unsupported")
    rank, order, blocks, levels = len(shape), sparsity.order, sparsity.blocks, sparsity.levels
    if (
        sorted(order) != list(range(rank + len(blocks)))
        or sorted(order[:rank]) != list(range(rank))
        or len(levels) != len(order)
        or not all(0 <= dim < rank for dim in blocks)
        or len(set(blocks)) != len(blocks)
    ):
        raise damaged(f"the dims of the sparse tensor {name!r} are not its shape's")
    within = {blocks[dim - rank]: level.size for dim, level in zip(order[rank:], levels[rank:], strict=True)}
    if any(size <= 0 or shape[dim] % size for dim, size in within.items()):
        raise damaged(f"the blocks of the sparse tensor {name!r} do not fill its shape")
    index = [np.zeros(1, np.int64) for _ in shape]
    for dim, level in zip(order, levels, strict=True):
        inside = dim >= rank
        axis = blocks[dim - rank] if inside else dim
        size = within[axis] if inside else shape[axis] // within.get(axis, 1)
        parents, children = _children(level, len(index[0]), size, name)
        index = [each[parents] for each in index]
        index[axis] = index[axis] * size + children if inside else children
    if len(index[0]) != count:
        raise damaged(f"the sparse tensor {name!r} has places for {len(index[0]):,} values and holds {count:,}")
    return np.asarray(np.ravel_multi_index(index, shape)) if shape else np.zeros(count, np.int64)


def _children(level: Level, nodes: int, size: int, name: str) -> tuple[Array, Array]:
    """The parent of each node of this level, and the node's own index."""
    segments, indices = level.segments, level.indices
    if segments is None or indices is None:
        if level.size != size:
            raise damaged(f"a dim of the sparse tensor {name!r} is {level.size}, not {size}")
        return np.repeat(np.arange(nodes), size), np.tile(np.arange(size), nodes)
    counts = np.diff(segments)
    if len(counts) != nodes or segments[0] or segments[-1] != len(indices) or (counts < 0).any():
        raise damaged(f"the segments of the sparse tensor {name!r} do not fit its indices")
    if len(indices) and not 0 <= indices.min() <= indices.max() < size:
        raise damaged(f"an index of the sparse tensor {name!r} is outside of its dim of {size}")
    return np.repeat(np.arange(nodes), counts), indices
