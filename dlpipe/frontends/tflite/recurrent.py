"""Recurrent operators over whole sequences. Their state is a variable of the file: here it starts at zero every run.

A plain float LSTM becomes ONNX's. One with projection, clipping or layer normalisation, or a quantised one, becomes a
Scan over a cell that is written out (`cell.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cell import scanned
from .handlers import handles
from .lstm import Lstm, lstm_of
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import Scope

_ONNX_ACTIVATIONS = {"TANH": "Tanh", "RELU": "Relu"}


@dataclass(frozen=True)
class _Axes:
    """[batch, time, features] in most files, [time, batch, features] in ONNX."""

    time_major: bool

    def turned(self, scope: Scope, value: str, name: str) -> str:
        return value if self.time_major else scope.node("Transpose", [value], f"{name}__time", perm=[1, 0, 2])


@handles("UNIDIRECTIONAL_SEQUENCE_LSTM", note="diagonal recurrent weights are refused")
def sequence_lstm(scope: Scope, op: Operator) -> None:
    if op.options["diagonal"]:
        raise op.refuse("has diagonal recurrent weights")
    axes = _Axes(bool(op.options["time_major"]))
    lstm = lstm_of(scope, op, 1, op.inputs[18:20], [*op.inputs[20:24]])
    sequence = axes.turned(scope, scope.real(op.inputs[0]), scope.name(op.outputs[0]))
    made = _lstm(scope, op, lstm, sequence, reverse=False)
    _finish(scope, op.outputs[0], made, axes)


@handles("BIDIRECTIONAL_SEQUENCE_LSTM", note="an auxiliary input is refused")
def bidirectional_lstm(scope: Scope, op: Operator) -> None:
    if any(scope.has(op, position) for position in range(39, 48)):
        raise op.refuse("has an auxiliary input")
    axes, name = _Axes(bool(op.options["time_major"])), scope.name(op.outputs[0])
    sequence = axes.turned(scope, scope.real(op.inputs[0]), name)
    made = []
    for first, states, reverse in ((1, op.inputs[35:37], False), (18, op.inputs[37:39], True)):
        made.append(_lstm(scope, op, lstm_of(scope, op, first, states, []), sequence, reverse=reverse))
    if op.options["merge"]:
        made = [scope.node("Concat", made, f"{name}__both", axis=2)]
    for index, value in zip(op.outputs, made, strict=True):
        _finish(scope, index, value, axes)


def _finish(scope: Scope, index: int, value: str, axes: _Axes) -> None:
    if axes.time_major:
        scope.result(index, "Identity", [value], real=True)
    else:
        scope.result(index, "Transpose", [value], real=True, perm=[1, 0, 2])


def _lstm(scope: Scope, op: Operator, lstm: Lstm, sequence: str, *, reverse: bool) -> str:
    """[time, batch, features] -> [time, batch, units]."""
    if not lstm.plain:
        return scanned(scope, op, lstm, sequence, reverse=reverse)
    name = scope.name(op.outputs[0])
    inputs = [sequence, scope.const(lstm.stacked("input")[None], f"{name}__W", "float32")]
    inputs.append(scope.const(lstm.stacked("recurrent")[None], f"{name}__R", "float32"))
    bias = lstm.stacked("bias")
    inputs.append(scope.const(np.concatenate([bias, np.zeros_like(bias)])[None], f"{name}__B", "float32"))
    if lstm.peepholes is not None:
        inputs += ["", "", "", scope.const(lstm.peepholes.reshape(1, -1), f"{name}__P", "float32")]
    made = scope.node(
        "LSTM",
        inputs,
        name,
        hidden_size=lstm.units,
        direction="reverse" if reverse else "forward",
        activations=["Sigmoid", _activation(op), _activation(op)],
        input_forget=1 if lstm.coupled else None,
    )
    return scope.node("Squeeze", [made, scope.const([1], f"{name}__direction", "int64")], name)


@handles("UNIDIRECTIONAL_SEQUENCE_RNN", note="quantised weights are refused")
def sequence_rnn(scope: Scope, op: Operator) -> None:
    """Inputs: data, weights [units, features], recurrent weights [units, units], bias, state."""
    name, axes = scope.name(op.outputs[0]), _Axes(bool(op.options["time_major"]))
    if any(scope.quantisation(index) for index in op.inputs[:3]):
        raise op.refuse("is quantised")
    weights, recurrent, bias = (scope.constant(op, position) for position in (1, 2, 3))
    sequence = axes.turned(scope, scope.stored(op.inputs[0]), name)
    inputs = [sequence, scope.const(weights[None], f"{name}__W"), scope.const(recurrent[None], f"{name}__R")]
    inputs.append(scope.const(np.concatenate([bias, np.zeros_like(bias)])[None], f"{name}__B"))
    made = scope.node("RNN", inputs, name, hidden_size=len(weights), activations=[_activation(op)])
    made = scope.node("Squeeze", [made, scope.const([1], f"{name}__direction", "int64")], name)
    _finish(scope, op.outputs[0], made, axes)


def _activation(op: Operator) -> str:
    name = ACTIVATIONS[op.options["activation"]]
    if name not in _ONNX_ACTIVATIONS:
        raise op.refuse(f"has the activation {name}")
    return _ONNX_ACTIVATIONS[name]
