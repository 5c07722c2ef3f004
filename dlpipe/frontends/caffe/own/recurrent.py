"""Recurrent layers, a time step after the other."""

from __future__ import annotations

from typing import Any

import numpy as np


def _split(context: Any, x: Any, given: tuple[Any, ...], states: int) -> tuple[Any, list[Any], int, int]:
    """(what the inputs drive, first memory, number of units, index of the next blob)"""
    params = context.params("recurrent_param")
    units = params.num_output
    width = context.blobs[0].size // int(np.prod(x.shape[2:]))
    drive = x.reshape([*x.shape[:2], -1]) @ context.blobs[0].reshape(width, -1).T + context.blobs[1].reshape(-1)
    memory = [np.zeros([x.shape[1], units]) for _ in range(states)]
    if params.expose_hidden:
        memory = [each.reshape(x.shape[1], units) for each in given[-states:]]
        given = given[:-states]
    if given:
        drive = drive + given[0].reshape(x.shape[1], -1) @ context.blobs[2].reshape(width, -1).T
    return drive, memory, units, 2 + bool(given)


def _lstm(context: Any, x: Any, cont: Any, *given: Any) -> Any:
    drive, (h, c), units, at = _split(context, x, given, 2)
    weight = context.blobs[at].reshape(4 * units, units)
    made = []
    for now, keep in zip(drive, cont, strict=True):
        gates = now + (h * keep[:, None]) @ weight.T
        i, f, o, g = np.split(gates, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-each)) for each in (i, f, o))
        c = keep[:, None] * f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        made.append(h)
    return [np.stack(made), h[None], c[None]][: context.tops]


def _rnn(context: Any, x: Any, cont: Any, *given: Any) -> Any:
    drive, (h,), units, at = _split(context, x, given, 1)
    weight, out, bias = context.blobs[at : at + 3]
    made = []
    for now, keep in zip(drive, cont, strict=True):
        h = np.tanh(now + (h * keep[:, None]) @ weight.reshape(units, units).T)
        made.append(np.tanh(h @ out.reshape(units, units).T + bias.reshape(-1)))
    return [np.stack(made), h[None]][: context.tops]


FORWARD = {"LSTM": _lstm, "RNN": _rnn}
