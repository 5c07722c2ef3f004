"""Recurrent layers, written out step by step."""

from collections.abc import Callable
from typing import Any

import torch

from .table import Compute, Site, operator

_USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_Step = Callable[[Any, Any, Any], tuple[Any, Any]]  # (what the input gives, hidden, cell) -> (hidden, cell)


@operator("LSTM", "GRU", "RNN")
def recurrent(site: Site) -> Compute:
    way, op, size = site.attr("direction", "forward"), site.op, site.attr("hidden_size")
    ways = 2 if way == "bidirectional" else 1
    if [each.lower() for each in site.attr("activations") or _USUAL[op] * ways] != [
        each.lower() for each in _USUAL[op] * ways
    ]:
        site.refuse("other activations than the usual ones")
    if site.attr("clip") or site.attr("layout", 0) or site.attr("input_forget", 0):
        site.refuse("clip, layout or input_forget")
    if site.has(4):
        site.refuse("lengths of sequences")
    if site.has(7):
        site.refuse("peepholes")
    after = bool(site.attr("linear_before_reset", 0))

    def compute(x: Any, w: Any, r: Any, b: Any = None, _: Any = None, h: Any = None, c: Any = None, *__: Any) -> Any:
        outputs, hiddens, cells = [], [], []
        for number in range(ways):
            backwards = way == "reverse" or number == 1
            bias = x.new_zeros(2 * _GATES[op] * size) if b is None else b[number]
            hidden = x.new_zeros(x.shape[1], size) if h is None else h[number]
            cell = x.new_zeros(x.shape[1], size) if c is None else c[number]
            step = _STEPS[op](r[number], bias[_GATES[op] * size :], after)
            given = x @ w[number].T + bias[: _GATES[op] * size]
            seen: list[Any] = []
            for time in range(x.shape[0])[:: -1 if backwards else 1]:
                hidden, cell = step(given[time], hidden, cell)
                seen.append(hidden)
            outputs.append(torch.stack(seen[::-1] if backwards else seen))
            hiddens.append(hidden)
            cells.append(cell)
        return torch.stack(outputs, 1), torch.stack(hiddens), torch.stack(cells)

    return compute


def _lstm(r: Any, bias: Any, _: bool) -> _Step:
    def step(given: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        into, out, forget, new = (given + hidden @ r.T + bias).chunk(4, -1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(cell), cell

    return step


def _gru(r: Any, bias: Any, after: bool) -> _Step:
    size = r.shape[1]

    def step(given: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        update, reset = torch.sigmoid(given[:, : 2 * size] + hidden @ r[: 2 * size].T + bias[: 2 * size]).chunk(2, -1)
        if after:
            new = torch.tanh(given[:, 2 * size :] + reset * (hidden @ r[2 * size :].T + bias[2 * size :]))
        else:
            new = torch.tanh(given[:, 2 * size :] + (reset * hidden) @ r[2 * size :].T + bias[2 * size :])
        return (1 - update) * new + update * hidden, cell

    return step


def _rnn(r: Any, bias: Any, _: bool) -> _Step:
    return lambda given, hidden, cell: (torch.tanh(given + hidden @ r.T + bias), cell)


_STEPS: dict[str, Callable[[Any, Any, bool], _Step]] = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}
