"""Integers for the blocks of a matrix: a scale for each block of consecutive rows of a column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

_TYPES = {
    (4, True): ir.DataType.INT4,
    (4, False): ir.DataType.UINT4,
    (8, True): ir.DataType.INT8,
    (8, False): ir.DataType.UINT8,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """block: how many rows share a scale. symmetric: no zero points; integers are as many above zero as below."""

    bits: int
    block: int
    symmetric: bool

    @property
    def dtype(self) -> ir.DataType:
        return _TYPES[self.bits, self.symmetric]

    @property
    def container(self) -> Any:
        """numpy's type that holds an integer of the grid."""
        return np.int8 if self.symmetric else np.uint8

    @property
    def low(self) -> int:
        return 1 - (1 << (self.bits - 1)) if self.symmetric else 0

    @property
    def high(self) -> int:
        return (1 << (self.bits - 1)) - 1 if self.symmetric else (1 << self.bits) - 1


@dataclass(frozen=True, slots=True)
class Scales:
    """Of a matrix [K, N], per block and column: [blocks, N]. A weight is (integer - zero) * scale."""

    scale: Any  # float32
    zero: Any  # int16; all 0 where the grid is symmetric


def blocked(matrix: Any, block: int) -> Any:
    """[K, N] -> [blocks, block, N]; the last block is filled up with zeros, which every grid holds."""
    rows, columns = matrix.shape
    missing = -rows % block
    return np.pad(matrix, ((0, missing), (0, 0))).reshape(-1, block, columns)


def expanded(values: Any, grid: Grid, rows: int) -> Any:
    """[blocks, N] -> [K, N]."""
    return np.repeat(values, grid.block, axis=0)[:rows]


@dataclass(frozen=True, slots=True)
class Rounded:
    """A matrix as integers. loss: noise by signal, of the products where these are known, else of the weights."""

    numbers: Any
    scales: Scales
    grid: Grid
    loss: float


def round_to_nearest(matrix: Any, grid: Grid) -> Scales:
    """The scales that just hold the block's smallest and largest weight, and zero."""
    cut = blocked(matrix, grid.block)
    if grid.symmetric:
        scale = np.abs(cut).max(axis=1) / grid.high
        zero = np.zeros(scale.shape, np.int16)
    else:
        low, high = np.minimum(cut.min(axis=1), 0), np.maximum(cut.max(axis=1), 0)
        scale = (high - low) / grid.high
        zero = np.rint(-low / _safe(scale)).astype(np.int16)
    return Scales(_safe(scale).astype(np.float32), zero)


def integers(matrix: Any, scales: Scales, grid: Grid) -> Any:
    """Each weight's nearest integer, [K, N]."""
    scale, zero = (expanded(each, grid, len(matrix)) for each in (scales.scale, scales.zero))
    return np.clip(np.rint(matrix / scale) + zero, grid.low, grid.high).astype(grid.container)


def weights(numbers: Any, scales: Scales, grid: Grid) -> Any:
    """What the integers stand for, float32 [K, N]."""
    scale, zero = (expanded(each, grid, len(numbers)) for each in (scales.scale, scales.zero))
    return ((numbers - zero) * scale).astype(np.float32)


def share(noise: Any, signal: Any) -> float:
    """Sum of squares by sum of squares."""
    power = float(np.square(signal, dtype=np.float64).sum())
    return float(np.square(noise, dtype=np.float64).sum()) / power if power else 0.0


def _safe(scale: Any) -> Any:
    """A block of zeros has no scale of its own."""
    return np.where(scale > np.finfo(np.float32).tiny, scale, 1.0)
