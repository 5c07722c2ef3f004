"""Operators of two values or more, element by element, with Caffe2's two ways of broadcasting."""

from __future__ import annotations

import numpy as np

from .converter import Converter
from .nets import Operator
from .table import converts

_BINARY = {
    "Add": "Add", "Sub": "Sub", "Mul": "Mul", "Div": "Div", "EQ": "Equal", "LT": "Less", "GT": "Greater",
    "LE": "LessOrEqual", "GE": "GreaterOrEqual", "And": "And", "Or": "Or", "Xor": "Xor",
}  # fmt: skip
_VARIADIC = {"Sum": "Sum", "Max": "Max", "Min": "Min", "Mean": "Mean"}


@converts(*_BINARY, "NE", "Pow")
def _binary(converter: Converter, op: Operator) -> None:
    first = converter.value(op, 0)
    if op.type == "Pow" and "exponent" in op.args:
        second = converter.constant(op, op.args.number("exponent"), np.float32)
        op.args.ignore("broadcast", "axis")
    else:
        second = _aligned(converter, op, first, converter.value(op, 1))
    if op.type == "NE":
        converter.finish(op, "Not", [converter.emit(op, "Equal", [first, second])])
    else:
        converter.finish(op, "Pow" if op.type == "Pow" else _BINARY[op.type], [first, second])


def _aligned(converter: Converter, op: Operator, first: str, second: str) -> str:
    """The second operand, reshaped so that numpy's broadcasting does what the arguments say.

    With `broadcast`, its dims stand at `axis` of the first (or at its end); without, both are as numpy has it.
    """
    axis, letter = op.args.integer("axis", -1), op.args.text("axis_str")
    if not op.args.integer("broadcast"):
        if axis != -1 or letter:
            raise converter.bad(op, "an axis without broadcast")
        return second
    rank, own = converter.rank(first), converter.rank(second)
    if letter:
        axis = op.args.text("order", "NCHW").find(letter)
        if axis < 0:
            raise converter.bad(op, f"the axis {letter!r}")
    shape = converter.shape(second)
    if axis == -1 or shape == (1,):
        return second
    behind = rank - axis - own
    if behind < 0:
        raise converter.bad(op, f"a value of {own} dims at axis {axis} of one of {rank}")
    if behind == 0:
        return second
    added = converter.constant(op, [own + each for each in range(behind)], np.int64)
    return converter.emit(op, "Unsqueeze", [second, added])


@converts(*_VARIADIC)
def _variadic(converter: Converter, op: Operator) -> None:
    values = [converter.value(op, index) for index in range(len(op.inputs))]
    kind = converter.graph.dtype(values[0])
    if op.type == "Sum" and kind is not None and kind.kind != "f":  # ONNX sums floats only
        total = values[0]
        for value in values[1:-1]:
            total = converter.emit(op, "Add", [total, value])
        if len(values) > 1:
            converter.finish(op, "Add", [total, values[-1]])
        else:
            converter.alias(op, total)
        return
    converter.finish(op, _VARIADIC[op.type], values)


@converts("Where")
def _where(converter: Converter, op: Operator) -> None:
    condition, yes, no = (converter.value(op, index) for index in range(3))
    if op.args.integer("enable_broadcast"):  # one condition for each row
        behind = converter.rank(yes) - 1
        if behind:
            added = converter.constant(op, list(range(1, behind + 1)), np.int64)
            condition = converter.emit(op, "Unsqueeze", [condition, added])
    converter.finish(op, "Where", [condition, yes, no])


@converts("ElementwiseLinear")
def _linear(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if op.args.integer("axis", 1) != converter.rank(x) - 1:
        raise converter.unsupported(op, "an axis that is not the last one")
    converter.finish(op, "Add", [converter.emit(op, "Mul", [x, converter.value(op, 1)]), converter.value(op, 2)])


@converts("RowMul")
def _row_mul(converter: Converter, op: Operator) -> None:
    x, weights = converter.value(op, 0), converter.value(op, 1)
    shape = converter.constant(op, [-1] + [1] * (converter.rank(x) - 1), np.int64)
    converter.finish(op, "Mul", [x, converter.emit(op, "Reshape", [weights, shape])])


@converts("DotProduct", "SquaredL2Distance", "L1Distance", "CosineSimilarity")
def _row_wise(converter: Converter, op: Operator) -> None:
    """One number for each row of two values [N, ...]."""
    first, second = converter.value(op, 0), converter.value(op, 1)
    axes = converter.constant(op, list(range(1, converter.rank(first))), np.int64)

    def over_row(reduction: str, value: str) -> str:
        return converter.emit(op, reduction, [value, axes], keepdims=0)

    if op.type == "DotProduct":
        converter.finish(op, "ReduceSum", [converter.emit(op, "Mul", [first, second]), axes], keepdims=0)
    elif op.type == "L1Distance":
        converter.finish(op, "ReduceL1", [converter.emit(op, "Sub", [first, second]), axes], keepdims=0)
    elif op.type == "SquaredL2Distance":
        total = over_row("ReduceSumSquare", converter.emit(op, "Sub", [first, second]))
        converter.finish(op, "Mul", [total, converter.constant(op, 0.5, np.float32)])
    else:
        tiny = converter.constant(op, 1e-12, np.float32)
        squares = [converter.emit(op, "Max", [over_row("ReduceSumSquare", each), tiny]) for each in (first, second)]
        root = converter.emit(op, "Sqrt", [converter.emit(op, "Mul", squares)])
        dot = over_row("ReduceSum", converter.emit(op, "Mul", [first, second]))
        converter.finish(op, "Div", [dot, root])
