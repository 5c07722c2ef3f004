"""Weights: floats, halves, or small numbers with a table (the table IDSTQuan of MNN's schema)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kit.flatbuffer import Table
from .reading import Op

TABLE, SPARSE, HALF, BYTES = 1, 2, 3, 4
_MAX_SIZE = 1 << 28


def read_weights(op: Op, floats: Any, quantised: Table | None, outputs: int) -> Any:
    """float32, flat. floats: the table's own weights, used where they are; outputs: rows, each with a scale."""
    if floats.size or quantised is None:
        return floats
    kind = int(quantised.number(2, "int32"))
    data = bytes(quantised.view(0))
    if kind == HALF:
        if len(data) % 2:
            op.fail("its weights end within a number")
        return np.frombuffer(data, "<f2").astype(np.float32)
    wide = bool(quantised.number(11, "bool", False))
    if kind == TABLE:
        found = _from_table(op, data, wide)
    elif kind == SPARSE:
        found = _from_list(op, data, wide)
    elif kind == BYTES:
        found = np.frombuffer(data, np.int8)
    else:
        op.fail(f"its weights are stored in a way ({kind}) that is not known", "unsupported")
    return _scaled(op, found, quantised, outputs)


def _scaled(op: Op, found: Any, quantised: Table, outputs: int) -> Any:
    """One scale per row (or block of a row); or, where the file says so, a least value and a scale."""
    alpha = quantised.array(1, "float32")
    factor = float(quantised.number(4, "float32", 0.0)) or 1.0
    uneven = int(quantised.number(9, "int32")) != 0
    rows = alpha.size // 2 if uneven else alpha.size
    if not rows or found.size % rows or rows % max(outputs, 1):
        op.fail(f"{alpha.size} scales for {found.size:,} weights of {outputs} outputs")
    values = found.reshape(rows, -1).astype(np.float32)
    if uneven:
        least = int(quantised.number(8, "int32")) or -128
        values = (values - np.float32(least)) * alpha[1::2, None] + alpha[0::2, None]
    else:
        values = values * alpha[:, None]
    return (values * np.float32(factor)).reshape(-1)


class _Cursor:
    def __init__(self, op: Op, data: bytes) -> None:
        self.op, self.data, self.at = op, data, 0

    def take(self, count: int, dtype: str) -> Any:
        size = count * np.dtype(dtype).itemsize
        if size > len(self.data) - self.at:
            self.op.fail("its weights end too early")
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += size
        return found

    def size(self, wide: bool) -> int:
        """How many numbers the blob has."""
        rank = int(self.take(1, "u1")[0])
        if rank > 4:
            self.op.fail(f"its weights have {rank} axes")
        size = 1
        for dim in self.take(rank, "<i4" if wide else "<u2"):
            size *= int(dim)
        if not 0 <= size <= _MAX_SIZE:
            self.op.fail(f"it has {size:,} weights")
        return size

    def packed(self, count: int, bits: int) -> Any:
        """Numbers of so many bits, the highest first, one right after the other."""
        if not 1 <= bits <= 8:
            self.op.fail(f"its weights are numbers of {bits} bits")
        data = self.take((count * bits + 7) // 8, "u1")
        each = np.unpackbits(data)[: count * bits].reshape(count, bits)
        return np.packbits(each, axis=1)[:, 0] >> (8 - bits)


def _from_table(op: Op, data: bytes, wide: bool) -> Any:
    cursor = _Cursor(op, data)
    size = cursor.size(wide)
    count = int(cursor.take(1, "u1")[0]) or 256
    table = np.sort(cursor.take(count, "i1"))
    index = cursor.packed(size, (count - 1).bit_length())
    if size and int(index.max()) >= count:
        op.fail("its weights name a number that is not in their table")
    return table[index]


def _from_list(op: Op, data: bytes, wide: bool) -> Any:
    """Weights that are mostly zero: how far to the next, and which number it is."""
    cursor = _Cursor(op, data)
    size = cursor.size(wide)
    count, bits = int(cursor.take(1, "<u4")[0]), int(cursor.take(1, "u1")[0])
    if count > size + 256:
        op.fail(f"it has {size:,} weights, and lists {count:,}")
    steps = cursor.packed(count, bits).astype(np.int64)
    table = np.unique(cursor.take(int(cursor.take(1, "u1")[0]) or 256, "i1"))
    index = cursor.packed(count, max(1, (table.size - 1).bit_length()))
    where = np.cumsum(steps)
    if count and (int(where[-1]) >= size or int(index.max()) >= table.size):
        op.fail("its list of weights leads out of them")
    found = np.zeros(size, np.int8)
    found[where] = table[index]
    return found
