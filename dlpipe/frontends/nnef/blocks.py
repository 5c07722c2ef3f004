"""tract's own item type for weights of four bits: blocks of 32 numbers that share a scale.

Like GGML's Q4_0, with neighbours in one byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Q4_0 = 0x54522040
_BLOCK = 32
_BYTES = 18  # a scale of two bytes, then two numbers a byte, the first in its low half


def size(count: int) -> int | None:
    """Bytes of `count` numbers; None where they fill no blocks."""
    return count // _BLOCK * _BYTES if count % _BLOCK == 0 else None


def numbers(data: bytes, offset: int) -> Any:
    """float32, flat."""
    rows = np.frombuffer(data, np.uint8, offset=offset).reshape(-1, _BYTES)
    scale = np.ascontiguousarray(rows[:, :2]).view("<f2").astype(np.float32)
    halves = np.stack([rows[:, 2:] & 15, rows[:, 2:] >> 4], axis=2).reshape(-1, _BLOCK)
    return ((halves.astype(np.float32) - 8) * scale).reshape(-1)
