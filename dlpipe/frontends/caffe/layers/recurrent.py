"""Recurrent layers as Scan over time: [T, N, ...] in, [T, N, H] out.

`cont` ([T, N]) is 0 where a new sequence begins and 1 within one: it multiplies what is remembered, so a batch can hold
several sequences behind each other. Memory begins with zeros, as in the first run of a net.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ..step import Step, count, layer

_FLOAT = TensorProto.FLOAT


@layer("LSTM")
def lstm(step: Step) -> None:
    """Gates in Caffe's order: input, forget, output, candidate."""
    units = _begin(step, states=2)
    static = _has_static(step, 2)
    given = step.blob(2 + static, [4 * units, units]).T
    drive = _drive(step, 4 * units, static)
    body = [
        helper.make_node("Mul", ["h", "keep"], ["h_kept"]),
        helper.make_node("Mul", ["c", "keep"], ["c_kept"]),
        helper.make_node("MatMul", ["h_kept", "w"], ["recurrent"]),
        helper.make_node("Add", ["x", "recurrent"], ["gates"]),
        helper.make_node("Split", ["gates"], ["i", "f", "o", "g"], axis=1, num_outputs=4),
        helper.make_node("Sigmoid", ["i"], ["i_on"]),
        helper.make_node("Sigmoid", ["f"], ["f_on"]),
        helper.make_node("Sigmoid", ["o"], ["o_on"]),
        helper.make_node("Tanh", ["g"], ["g_on"]),
        helper.make_node("Mul", ["f_on", "c_kept"], ["old"]),
        helper.make_node("Mul", ["i_on", "g_on"], ["new"]),
        helper.make_node("Add", ["old", "new"], ["c_next"]),
        helper.make_node("Tanh", ["c_next"], ["c_on"]),
        helper.make_node("Mul", ["o_on", "c_on"], ["h_next"]),
        helper.make_node("Identity", ["h_next"], ["y"]),
    ]
    _scan(step, drive, body, {"w": given}, ["h", "c"], units)


@layer("RNN")
def rnn(step: Step) -> None:
    """h = tanh(W_hh h + W_xh x + b), o = tanh(W_ho h + b_o)"""
    units = _begin(step, states=1)
    static = _has_static(step, 1)
    drive = _drive(step, units, static)
    weights = {
        "w": step.blob(2 + static, [units, units]).T,
        "w_o": step.blob(3 + static, [units, units]).T,
        "b_o": step.blob(4 + static, [units]),
    }
    body = [
        helper.make_node("Mul", ["h", "keep"], ["h_kept"]),
        helper.make_node("MatMul", ["h_kept", "w"], ["recurrent"]),
        helper.make_node("Add", ["x", "recurrent"], ["total"]),
        helper.make_node("Tanh", ["total"], ["h_next"]),
        helper.make_node("MatMul", ["h_next", "w_o"], ["projected"]),
        helper.make_node("Add", ["projected", "b_o"], ["biased"]),
        helper.make_node("Tanh", ["biased"], ["y"]),
    ]
    _scan(step, drive, body, weights, ["h"], units)


def _begin(step: Step, states: int) -> int:
    params = step.params("recurrent_param")
    exposed = states if params.expose_hidden else 0
    step.expect((2 + exposed, 3 + exposed), 1 + exposed)
    if params.num_output < 1:
        step.fail("it has no num_output")
    for shape in step.shapes:
        count(shape)  # time comes first here, so nothing of it is a batch that may vary
    if len(step.shapes[0]) < 2 or step.shapes[1] != step.shapes[0][:2]:
        step.fail(f"its bottoms have the shapes {step.shapes[0]} and {step.shapes[1]}")
    return int(params.num_output)


def _has_static(step: Step, states: int) -> int:
    exposed = states if step.params("recurrent_param").expose_hidden else 0
    return int(len(step.inputs) == 3 + exposed)


def _drive(step: Step, width: int, static: int) -> str:
    """[T, N, width]: what the inputs alone give, for all times at once."""
    shape = step.shapes[0]
    size = count(shape[2:])
    value = step.inputs[0]
    if len(shape) != 3:
        value = step.reshape(value, shape, [*shape[:2], size], None)
    weight = step.constant(np.ascontiguousarray(step.blob(0, [width, size]).T), "w_x")
    value = step.node("Add", [step.node("MatMul", [value, weight]), step.constant(step.blob(1, [width]), "b")])
    if static:
        fixed = step.shapes[2]
        if not fixed or fixed[0] != shape[1]:
            step.fail(f"its static bottom has the shape {fixed}")
        inner = count(fixed[1:])
        flat = step.inputs[2] if len(fixed) == 2 else step.reshape(step.inputs[2], fixed, [fixed[0], inner], None)
        matrix = step.constant(np.ascontiguousarray(step.blob(2, [width, inner]).T), "w_static")
        value = step.node("Add", [value, step.node("MatMul", [flat, matrix])])
    return value


def _scan(step: Step, drive: str, body: list[Any], weights: dict[str, Any], states: list[str], units: int) -> None:
    time, batch = step.shapes[0][:2]
    exposed = len(step.tops) > 1
    first = []
    for index, name in enumerate(states):
        if exposed:
            given = step.inputs[len(step.inputs) - len(states) + index]
            shape = step.shapes[len(step.inputs) - len(states) + index]
            first.append(step.reshape(given, shape, [batch, units], None))
        else:
            first.append(step.constant(np.zeros([batch, units], np.float32), f"{name}_0"))
    keep = step.reshape(step.inputs[1], [time, batch], [time, batch, 1], None)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        body,
        step.layer.name,
        [
            *(info(name, _FLOAT, [batch, units]) for name in states),
            info("x", _FLOAT, None),
            info("keep", _FLOAT, [batch, 1]),
        ],
        [*(info(f"{name}_next", _FLOAT, [batch, units]) for name in states), info("y", _FLOAT, [batch, units])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    last = [step.graph.fresh(f"{step.layer.name}.{name}_T") for name in states]
    step.graph.node(
        "Scan",
        [*first, drive, keep],
        [*last, step.tops[0]],
        name=step.layer.name,
        body=graph,
        num_scan_inputs=2,
    )
    step.done([time, batch, units])
    if exposed:
        for index, value in enumerate(last):
            step.reshape(value, [batch, units], [1, batch, units], 1 + index)
