"""Fully connected layers and tables of vectors."""

from __future__ import annotations

import numpy as np

from ..step import Step, count, layer


@layer("InnerProduct")
def inner_product(step: Step) -> None:
    step.expect()
    params = step.params("inner_product_param")
    shape = step.shapes[0]
    axis = step.axis(params.axis, len(shape))
    inner, outputs = count(shape[axis:]), params.num_output
    if outputs < 1:
        step.fail("it has no num_output")
    weight = step.blob(0, [inner, outputs] if params.transpose else [outputs, inner])
    bias = step.constant(step.blob(1, [outputs]), "bias") if params.bias_term else None
    value = step.inputs[0]
    if axis == 1:
        if len(shape) > 2:
            value = step.node("Flatten", [value], axis=1)
        inputs = [value, step.constant(weight, "weight"), *([bias] if bias else [])]
        step.out("Gemm", inputs, [shape[0], outputs], transB=0 if params.transpose else 1)
        return
    if axis == 0:
        value = step.reshape(value, shape, [1, inner], None)
    elif axis < len(shape) - 1:
        value = step.reshape(value, shape, [*shape[:axis], inner], None)
    matrix = step.constant(weight if params.transpose else np.ascontiguousarray(weight.T), "weight")
    result = [*shape[:axis], outputs]
    if axis == 0:
        made = step.node("MatMul", [value, matrix])
        made = step.node("Add", [made, bias]) if bias else made
        step.reshape(made, [1, outputs], [outputs])
    elif bias:
        step.out("Add", [step.node("MatMul", [value, matrix]), bias], result)
    else:
        step.out("MatMul", [value, matrix], result)


@layer("Embed")
def embed(step: Step) -> None:
    step.expect()
    params = step.params("embed_param")
    if params.num_output < 1 or params.input_dim < 1:
        step.fail("it has no num_output or no input_dim")
    table = step.constant(step.blob(0, [params.input_dim, params.num_output]), "weight")
    index = step.node("Cast", [step.inputs[0]], to=7)
    result = [*step.shapes[0], params.num_output]
    if not params.bias_term:
        step.out("Gather", [table, index], result)
        return
    bias = step.constant(step.blob(1, [params.num_output]), "bias")
    step.out("Add", [step.node("Gather", [table, index]), bias], result)
