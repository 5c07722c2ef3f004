"""Layers that combine blobs number by number, and sums over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import schema
from ..step import Shape, Step, count, layer


@layer("Eltwise")
def eltwise(step: Step) -> None:
    step.expect((2, 1024))
    params = step.params("eltwise_param")
    for shape in step.shapes[1:]:
        if shape != step.shapes[0]:
            step.fail(f"its bottoms have the shapes {step.shapes[0]} and {shape}")
    values = list(step.inputs)
    if params.coeff:
        if params.operation != "SUM":
            step.fail("only a sum takes coefficients")
        if len(params.coeff) != len(values):
            step.fail(f"it has {len(params.coeff)} coefficients for {len(values)} bottoms")
        values = [
            value if factor == 1 else step.node("Mul", [value, step.number(factor, f"coeff{index}")])
            for index, (value, factor) in enumerate(zip(values, params.coeff, strict=True))
        ]
    if params.operation == "MAX":
        step.out("Max", values, step.shapes[0])
        return
    op = "Add" if params.operation == "SUM" else "Mul"
    for value in values[1:-1]:
        values[0] = step.node(op, [values[0], value])
    step.out(op, [values[0], values[-1]], step.shapes[0])


@layer("Scale")
def scale(step: Step) -> None:
    step.expect((1, 2))
    params = step.params("scale_param")
    factor, shape, axis = _operand(step, params, "scale")
    if not params.bias_term:
        step.out("Mul", [step.inputs[0], factor], step.shapes[0])
        return
    learned = step.blob(1 if len(step.inputs) == 1 else 0, shape)
    bias = step.constant(learned.reshape(_spread(step, shape, axis)), "bias")
    step.out("Add", [step.node("Mul", [step.inputs[0], factor]), bias], step.shapes[0])


@layer("Bias")
def bias(step: Step) -> None:
    step.expect((1, 2))
    value, _, _ = _operand(step, step.params("bias_param"), "bias")
    step.out("Add", [step.inputs[0], value], step.shapes[0])


def _operand(step: Step, params: Any, name: str) -> tuple[str, Shape, int]:
    """The learned or given factor, shaped so that it broadcasts; its own shape; the axis it begins at."""
    shape = step.shapes[0]
    axis = step.axis(params.axis, len(shape))
    if len(step.inputs) == 2:
        given = step.shapes[1]
        if not given:
            axis = 0
        if shape[axis : axis + len(given)] != given:
            step.fail(f"a bottom of the shape {given} does not fit {shape} from axis {axis}")
        behind = len(shape) - axis - len(given)
        if not given or not behind:
            return step.inputs[1], given, axis
        axes = step.ints(range(len(given), len(given) + behind), "axes")
        return step.node("Unsqueeze", [step.inputs[1], axes]), given, axis
    end = len(shape) if params.num_axes == -1 else axis + params.num_axes
    if not axis <= end <= len(shape):
        step.fail(f"num_axes is {params.num_axes} from axis {axis} of {shape}")
    own = shape[axis:end]
    count(own)
    return step.constant(step.blob(0, own).reshape(_spread(step, own, axis)), name), own, axis


def _spread(step: Step, shape: Shape, axis: int) -> Shape:
    return [*shape, *[1] * (len(step.shapes[0]) - axis - len(shape))] if shape else []


@layer("Axpy")
def axpy(step: Step) -> None:
    """a x + y with one a per channel (squeeze-and-excitation nets)."""
    step.expect(3)
    factor, first, second = step.shapes
    if first != second or factor[:2] != first[:2] or any(dim != 1 for dim in factor[2:]):
        step.fail(f"its bottoms have the shapes {factor}, {first} and {second}")
    value = step.inputs[0]
    if len(factor) != len(first):
        value = step.reshape(value, factor, [*first[:2], *[1] * (len(first) - 2)], None)
    step.out("Add", [step.node("Mul", [value, step.inputs[1]]), step.inputs[2]], first)


@layer("Reduction")
def reduction(step: Step) -> None:
    step.expect()
    params = step.params("reduction_param")
    shape = step.shapes[0]
    axis = step.axis(params.axis, len(shape))
    op = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare", "MEAN": "ReduceMean"}[params.operation]
    inputs = [step.inputs[0], step.ints(range(axis, len(shape)), "axes")]
    if axis == 0:
        count(shape)  # a sum over the batch itself
    if params.coeff == 1:
        step.out(op, inputs, shape[:axis], keepdims=0)
        return
    made = step.node(op, inputs, keepdims=0)
    step.out("Mul", [made, step.number(params.coeff, "coeff")], shape[:axis])


@layer("Silence")
def silence(step: Step) -> None:
    """Takes blobs so that they are no outputs."""


@layer("Parameter")
def parameter(step: Step) -> None:
    step.expect(0)
    shape = [dim for each in step.params("parameter_param").shape for dim in schema.dims(each, "parameter_param")]
    value = step.constant(np.ascontiguousarray(step.blob(0, shape)), "value")
    step.out("Identity", [value], shape)
