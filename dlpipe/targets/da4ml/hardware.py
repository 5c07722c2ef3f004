"""Numbers in hardware: wires of da4ml that hold integers (or fixed point), and the scale that makes reals of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from da4ml.cmvm import solve
from da4ml.trace import FixedVariable, HWConfig
from da4ml.trace.fixed_variable import LookupTable
from da4ml.types import QInterval

Array = np.ndarray[Any, Any]

MULTIPLIER_BITS = 8  # of the constants that turn one scale into another: within a quarter of a step of 8 bits
TABLE_BITS = 10  # of what goes into a table
_GUARD_BITS = 4  # kept below a step before it is rounded: what lies lower moves it by 1/32 of a step at most
_SAME = 1e-6  # scales that differ by less than float32 can tell


@dataclass(frozen=True)
class Values:
    """A tensor: value = scale * wire. `wires` holds FixedVariable, Tap, or float for what is constant; `scale`
    (float64) has the same shape, so that whatever moves the elements moves both."""

    wires: Array
    scale: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.wires.shape)

    def moved(self, move: Callable[[Array], Array]) -> Values:
        return Values(move(self.wires), move(self.scale))


@dataclass(frozen=True)
class Constant:
    """Of the model: value = scale * level. Of weights that are not quantised, the levels are the values themselves."""

    levels: Array  # float64
    scale: Array  # float64, of the same shape

    @property
    def value(self) -> Array:
        return self.levels * self.scale

    @property
    def is_quantised(self) -> bool:
        return bool((self.levels == np.rint(self.levels)).all()) and not bool((self.scale == 1).all())


@dataclass
class Port:
    """An input of the circuit: integers from low to high, of which the host makes the model's input's values."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None  # until something quantises it
    zero: int = 0
    low: int = 0
    high: int = 0
    wires: list[FixedVariable] = field(default_factory=list)


@dataclass(frozen=True)
class Tap:
    """An element of an input that nothing has quantised yet."""

    port: Port
    index: int


@dataclass(frozen=True)
class Pending:
    """A function of values that has no bits of its own: a quantiser behind it makes a table of it, and at an output the
    host computes it. `function`: float64 -> float64, of each element; None where elements depend on each other."""

    value: Values
    op: str
    axis: int = -1
    function: Callable[[Array], Array] | None = None


class NotQuantised(Exception):
    """Something other than a quantiser reads an input of the model, or weights are not integers."""


def steps(wire: FixedVariable) -> tuple[float, float, float]:
    return float(wire.low), float(wire.high), float(wire.step)


class Circuit:
    """What is common to all of it: how registers are placed, and sums of products that were already worked out.

    delay: adders in a row between two registers.
    """

    def __init__(self, delay: int) -> None:
        self.config = HWConfig(1, -1, delay)
        self._known: dict[Any, Any] = {}

    def connect(self, port: Port, scale: float, zero: int, low: int, high: int) -> None:
        """Make the wires of an input. Its values are rounded to integers from low to high by whoever feeds it."""
        port.scale, port.zero, port.low, port.high = scale, zero, low, high
        count = math.prod(port.shape)
        port.wires = [FixedVariable(float(low), float(high), 1.0, hwconf=self.config) for _ in range(count)]

    def round(self, wire: Any, factor: float, low: float, high: float) -> Any:
        """clip(round(wire * factor), low, high), halves upwards."""
        if not isinstance(wire, FixedVariable):
            return float(np.clip(np.rint(wire * factor), low, high))
        if abs(factor - 1) > _SAME:
            if not math.log2(factor).is_integer():
                wire = self._shortened(wire, factor)
                factor = mantissa(factor)
            wire = wire * factor
        if isinstance(wire, FixedVariable) and wire.step < 1:
            signed, integers, _ = wire.kif
            wire = wire.quantize(signed, integers + 1, 0, "WRAP", "RND")
        if wire.low < low:
            wire = wire.max_of(float(low))
        if wire.high > high:
            wire = wire.min_of(float(high))
        return wire

    @staticmethod
    def rescaled(wire: Any, factor: float) -> Any:
        """wire * factor, the constant in MULTIPLIER_BITS bits where that is no power of two."""
        if abs(factor - 1) < _SAME:
            return wire
        return wire * (
            factor if not isinstance(wire, FixedVariable) or math.log2(factor).is_integer() else mantissa(factor)
        )

    @staticmethod
    def table(wire: FixedVariable, function: Callable[[Array], Array]) -> Any:
        """`function` (of an array of levels) of a wire of at most TABLE_BITS bits, by a table in memory."""
        low, high, step = steps(wire)
        if wire._factor < 0:  # noqa: SLF001 - as da4ml does itself: a table is read from the other end
            low, high = high, low
        return wire.lookup(LookupTable(function(np.linspace(low, high, round(abs(high - low) / step) + 1))))

    @staticmethod
    def _shortened(wire: FixedVariable, factor: float) -> FixedVariable:
        """Without the lowest bits, which the product would not show."""
        surplus = math.floor(-math.log2(factor)) - _GUARD_BITS
        signed, integers, fraction = wire.kif
        if surplus <= 0 or -surplus >= fraction or signed + integers - surplus <= 0:
            return wire
        return wire.quantize(signed, integers, -surplus, "WRAP", "TRN")

    def products(self, vector: Array, matrix: Array) -> Array:
        """[K] wires or floats @ [K, M] levels -> [M]."""
        fixed = np.array([not isinstance(each, FixedVariable) for each in vector], bool)
        start = vector[fixed].astype(np.float64) @ matrix[fixed] if fixed.any() else np.zeros(matrix.shape[1])
        used = ~fixed & (matrix != 0).any(axis=1)
        made = np.empty(matrix.shape[1], object)
        made[:] = list(map(float, start))
        columns = np.flatnonzero((matrix[used] != 0).any(axis=0)) if used.any() else np.zeros(0, int)
        if len(columns):
            made[columns] = self._solved(vector[used], matrix[np.ix_(used, columns)]) + made[columns]
        return made

    def _solved(self, vector: Array, matrix: Array) -> Array:
        """The search for common sums takes long; that of the next window of an image is the same."""
        latencies = [float(wire.latency) for wire in vector]
        first = min(latencies)
        latencies = [each - first for each in latencies]
        key = matrix.shape, matrix.tobytes(), tuple(map(steps, vector)), tuple(latencies)
        if key not in self._known:
            self._known[key] = solve(
                np.ascontiguousarray(matrix, np.float32),
                qintervals=[QInterval(*steps(wire)) for wire in vector],
                latencies=latencies,
                adder_size=self.config.adder_size,
                carry_size=self.config.carry_size,
            )
        return np.asarray(self._known[key](vector), object)


def mantissa(factor: float) -> float:
    """The nearest number of MULTIPLIER_BITS bits, for which few adders do."""
    part, exponent = math.frexp(factor)
    return math.ldexp(round(math.ldexp(part, MULTIPLIER_BITS)), exponent - MULTIPLIER_BITS)


def uniform(scale: Array) -> float | None:
    """The scale that all have, or None."""
    first = float(scale.flat[0])
    return first if bool((np.abs(scale / first - 1) < _SAME).all()) else None
