"""LSTM, GRU and RNN over the rows of a matrix [steps, features]."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..step import Step, layer

_DIRECTIONS = ["forward", "reverse", "bidirectional"]
# The rows of ncnn's gates in the order of ONNX's.
_GATES = {"LSTM": [0, 2, 1, 3], "GRU": [1, 0, 2], "RNN": [0]}


@layer("LSTM", "GRU", "RNN", limits="starts from zeros and hands on no state; no projection, no int8")
def _recurrent(step: Step) -> None:
    step.expect()
    step.rank(2)
    kind = step.layer.type
    outputs, size, direction = (step.layer.integer(number) for number in range(3))
    if kind == "LSTM" and step.layer.integer(3, outputs) != outputs:
        step.unsupported("it projects its state")
    if step.layer.integer(8):
        step.unsupported("its weights are int8")
    if direction not in (0, 1, 2) or outputs < 1:
        step.fail(f"its direction is {direction}, its size {outputs}")
    ways, gates = 2 if direction == 2 else 1, len(_GATES[kind])
    if size < 1 or size % (ways * gates * outputs):
        step.fail(f"{size:,} weights are not those of {outputs} outputs")
    features = size // ways // gates // outputs
    given = step.weight(ways, gates, outputs, features)
    rows = 4 if kind in ("LSTM", "GRU") else 1
    bias = step.weight(ways, rows, outputs)
    state = step.weight(ways, gates, outputs, outputs)
    if any(each.dtype == np.int8 for each in (given, bias, state)):
        step.unsupported("its weights are int8")
    order = _GATES[kind]
    arrays = {
        "weight": given[:, order].reshape(ways, -1, features),
        "state": state[:, order].reshape(ways, -1, outputs),
        "bias": _bias(kind, bias, order).reshape(ways, -1),
    }
    turned = step.node("Transpose", [step.value], perm=[1, 0, 2])
    inputs = [turned, *(step.constant(each, name) for name, each in arrays.items())]
    attributes: dict[str, Any] = {"linear_before_reset": 1} if kind == "GRU" else {}
    made = step.node(kind, inputs, hidden_size=outputs, direction=_DIRECTIONS[direction], **attributes)
    rows_out = step.node("Transpose", [made], perm=[2, 0, 1, 3])  # [batch, steps, ways, outputs]
    steps = step.dim(step.value, 0)
    step.name_top(step.reshape(rows_out, [steps, ways * outputs]))


def _bias(kind: str, bias: Any, order: list[int]) -> Any:
    """ONNX has biases of the input and of the state. ncnn adds them up, but for the new state of a GRU."""
    if kind == "GRU":
        zeros = np.zeros_like(bias[:, :2])
        return np.concatenate([bias[:, [1, 0, 2]], zeros, bias[:, 3:]], axis=1)
    return np.concatenate([bias[:, order], np.zeros_like(bias)], axis=1)
