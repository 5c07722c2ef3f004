"""Arithmetic as polynomials: one reading for all the ways in which exporters write the same formula."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from .match import maker, number, rank, stored

Polynomial = dict[tuple[int, ...], Any]  # powers of the symbols -> coefficient: float64, a number or an array
ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Neg", "Pow")
_MAX_DEGREE = 5
_MAX_NODES = 40


class Reading:
    """Reads values as polynomials in `symbols`, and notes the nodes that it took in.

    Coefficients are numbers, or where `arrays` says so stored arrays of at most so many elements, of no higher rank
    than the first symbol. Division is by constants and by symbols, whose powers may be negative.
    """

    def __init__(self, symbols: Sequence[ir.Value], arrays: int = 1) -> None:
        self.nodes: list[ir.Node] = []
        self._symbols = list(symbols)
        self._zero = (0,) * len(self._symbols)
        self._rank = rank(symbols[0]) or 0
        self._arrays = arrays

    def of(self, value: ir.Value | None) -> Polynomial | None:
        """None for what is no such polynomial."""
        if value is None:
            return None
        if value in self._symbols:
            index = self._symbols.index(value)
            return {(*self._zero[:index], 1, *self._zero[index + 1 :]): np.float64(1.0)}
        array = stored(value, self._arrays)
        if array is not None:
            coefficient = np.float64(array.reshape(())) if array.size == 1 else array.astype(np.float64)
            return {self._zero: coefficient} if array.size and array.ndim <= self._rank else None
        node = maker(value, *ARITHMETIC)
        if node is None or len(self.nodes) >= _MAX_NODES:
            return None
        self.nodes.append(node)
        return self._node(node)

    def _node(self, node: ir.Node) -> Polynomial | None:
        first = self.of(node.inputs[0])
        if first is None:
            return None
        if node.op_type == "Neg":
            return _product(first, {self._zero: np.float64(-1.0)})
        if node.op_type == "Pow":
            power = number(node.inputs[1])
            squared = _product(first, first) if power in (2.0, 3.0) else None
            return squared if power == 2.0 or squared is None else _product(squared, first)
        second = self.of(node.inputs[1])
        if second is None:
            return None
        if node.op_type in ("Add", "Sub"):
            return _sum(first, second if node.op_type == "Add" else _negative(second))
        return _product(first, second if node.op_type == "Mul" else _inverse(second))


def _sum(first: Polynomial, second: Polynomial) -> Polynomial:
    powers = [*first, *(each for each in second if each not in first)]
    return {each: first.get(each, 0.0) + second.get(each, 0.0) for each in powers}


def _negative(of: Polynomial) -> Polynomial:
    return {powers: -factor for powers, factor in of.items()}


def _inverse(of: Polynomial) -> Polynomial | None:
    """Of one term only."""
    (powers, factor), *others = of.items()
    if others or not np.all(factor):
        return None
    return {tuple(-power for power in powers): 1.0 / factor}


def _product(first: Polynomial, second: Polynomial | None) -> Polynomial | None:
    result: Polynomial = {}
    for a, one in first.items():
        for b, other in (second or {}).items():
            powers = tuple(x + y for x, y in zip(a, b, strict=True))
            if sum(map(abs, powers)) > _MAX_DEGREE:
                return None
            result[powers] = result.get(powers, 0.0) + one * other
    return result or None
