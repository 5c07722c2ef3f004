"""Pairs of QuantizeLinear and DequantizeLinear: a tensor rounded to the levels of eight bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .table import writes
from .text import Text


@writes("QuantizeLinear")
def _quantize(text: Text) -> None:
    """Nothing of its own: NNEF's quantised tensor stands for the numbers, not for their levels."""
    levels = text.node.output[0]
    readers = [each for each in text.model.nodes if levels in each.input]
    if levels in {each.name for each in text.model.graph.output} or any(
        each.op_type != "DequantizeLinear" for each in readers
    ):
        text.fail("quantised levels that are more than rounding: they are an output, or computed with")


@writes("DequantizeLinear")
def _dequantize(text: Text) -> None:
    made = next((each for each in text.model.nodes if text.input(0) in each.output), None)
    if made is None or made.op_type != "QuantizeLinear":
        text.fail("levels that are computed by something other than QuantizeLinear")
    scale, zero = text.number(1), text.array(text.input(2)) if text.input(2) else np.uint8(0)
    quantised = [_constant(text, name) for name in made.input[1:]]
    if zero is None or zero.size != 1 or quantised[0] != scale or quantised[1:] not in ([], [float(zero)]):
        text.fail("a pair whose two scales or zero points differ, or that has one per channel")
    if zero.dtype not in (np.int8, np.uint8):
        text.fail(f"levels of the type {zero.dtype}")
    text.call(
        "zero_point_linear_quantize",
        text.tensor(made.input[0]),
        zero_point=int(zero),
        scale=float(scale or 0),
        bits=8,
        signed=bool(zero.dtype == np.int8),
        symmetric=False,
        to=text.node.output[0],
    )


def _constant(text: Text, name: str) -> Any:
    array = text.array(name)
    return float(array) if array is not None and array.size == 1 else None
