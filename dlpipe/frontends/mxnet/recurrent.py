"""The fused RNN layer: one vector of all weights, as cuDNN has them, taken apart.

Its order: for each layer, for each direction, the weights of the input and of the state; then, in the same order, their
biases. Gates: LSTM input, forget, cell, output; GRU reset, update, new. ONNX has them as i o f c and z r h.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net

_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
_OPS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}


@handles("RNN", note="no projection, clipping or lengths; the weights must be stored, not computed")
def rnn(net: Net, layer: Layer) -> list[str]:
    a = layer.attributes
    a.ignore("p", "pkeep_", "lstm_q_")  # dropout between layers
    mode, hidden, count = a.choice("mode", *_GATES), a.whole("state_size"), a.whole("num_layers")
    directions = 2 if a.flag("bidirectional") else 1
    if a.text("projection_size", "None") != "None" or a.flag("use_sequence_length"):
        raise Refused("projection_size and use_sequence_length are not supported", kind="unsupported")
    if any(a.text(f"lstm_state_clip_{each}", "None") != "None" for each in ("min", "max")):
        raise Refused("clipping of the state is not supported", kind="unsupported")
    a.ignore("lstm_state_clip_nan")
    data, states = layer.inputs[0], layer.inputs[2:]
    weights = net.arrays.get(layer.inputs[1])
    if weights is None:
        raise Refused("the weights are computed by other layers", kind="unsupported")
    parts = _take_apart(weights, len(_GATES[mode]), hidden, count, directions, net.size(data, 2))
    finals: list[list[str]] = [[] for _ in states]
    for number, part in enumerate(parts):
        last = [_state(net, state, number, directions, data) for state in states]
        data, ends = _one(net, mode, part, data, last, hidden, directions)
        for kept, end in zip(finals, ends, strict=True):
            kept.append(end)
    if not a.flag("state_outputs"):
        return [data]
    return [data, *(each[0] if count == 1 else net.add("Concat", *each, axis=0) for each in finals)]


def _take_apart(vector: Any, gates: int, hidden: int, layers: int, directions: int, width: int) -> list[dict[str, Any]]:
    """Per layer: W [directions, gates * hidden, in], R [directions, gates * hidden, hidden], B [directions, ...]."""
    if min(gates, hidden, layers, width) < 1:
        raise Refused("an RNN without layers, units or inputs")
    rows = gates * hidden
    inside = hidden + directions * hidden + 2  # per row of a layer that stands on another
    whole = directions * rows * (width + hidden + 2) + (layers - 1) * directions * rows * inside
    if vector.ndim != 1 or vector.size != whole:
        raise Refused(f"its weights are {vector.size:,} numbers, and {whole:,} are needed")
    found: list[dict[str, Any]] = []
    at = 0
    for number in range(layers):
        into = width if number == 0 else directions * hidden
        size = rows * (into + hidden)
        both = vector[at : at + directions * size].reshape(directions, size)
        at += directions * size
        found.append(
            {
                "W": both[:, : rows * into].reshape(directions, rows, into),
                "R": both[:, rows * into :].reshape(directions, rows, hidden),
            }
        )
    for part in found:
        part["B"] = vector[at : at + directions * 2 * rows].reshape(directions, 2 * rows)
        at += directions * 2 * rows
    return found


def _state(net: Net, state: str, number: int, directions: int, data: str) -> str:
    """What this layer starts with. A batch that was left open is as large as the data's."""
    part = state
    if net.size(state, 0) != directions:
        part = net.slice(state, 0, number * directions, (number + 1) * directions)
    if net.shape(part)[1] == net.shape(data)[1]:
        return part
    batch = net.add("Gather", net.add("Shape", data), net.ints(1), axis=0)
    return net.add("Expand", part, net.add("Concat", net.ints(1), batch, net.ints(1), axis=0))


def _one(
    net: Net, mode: str, part: dict[str, Any], data: str, states: list[str], hidden: int, directions: int
) -> tuple[str, list[str]]:
    order = _GATES[mode]

    def gates(array: Any) -> Any:
        """Rows in ONNX's order of gates."""
        blocks = [array[:, gate * hidden : (gate + 1) * hidden] for gate in order]
        return np.concatenate(blocks, axis=1)

    rows = len(order) * hidden
    bias = np.concatenate([gates(part["B"][:, :rows]), gates(part["B"][:, rows:])], axis=1)
    constants = [
        net.constant(each, f"{net.layer}_{name}")
        for each, name in ((gates(part["W"]), "W"), (gates(part["R"]), "R"), (bias, "B"))
    ]
    kinds = {"rnn_tanh": ["Tanh"] * directions, "rnn_relu": ["Relu"] * directions}
    found = net.add_many(
        _OPS[mode],
        1 + len(states),
        data,
        *constants,
        "",
        *states,
        hidden_size=hidden,
        direction="bidirectional" if directions == 2 else "forward",
        activations=kinds.get(mode),
        linear_before_reset=1 if mode == "gru" else None,
    )
    made = found[0]  # [time, directions, batch, hidden]
    if directions == 1:
        return net.squeeze(made, 1), found[1:]
    return net.reshape(net.transpose(made, [0, 2, 1, 3]), [[0], [1], 2 * hidden]), found[1:]
