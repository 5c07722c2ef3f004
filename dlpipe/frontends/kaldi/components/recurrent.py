"""The nonlinear halves of LSTM and GRU cells; their linear halves are components of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ...kit.emit import Graph
from ..reading import Component
from .function import Function, expect, sigmoid


def lstm(component: Component, in_dim: int) -> Function:
    """LSTM with peepholes: [i, f, c, o, c before] -> [c, m], each as wide as the cell."""
    peephole = component.matrix("Params")
    cell = peephole.shape[1]
    if len(peephole) != 3 or in_dim not in (5 * cell, 5 * cell + 3):
        expect(component, in_dim, 5 * cell)
    dropout = in_dim == 5 * cell + 3  # three scales behind, of the gates i, f and o

    def emit(graph: Graph, x: str, name: str) -> str:
        sizes = np.array([cell] * 5 + [1] * (3 if dropout else 0), np.int64)
        names = [
            graph.fresh(f"{name}/{part}") for part in ("i", "f", "c", "o", "before", "si", "sf", "so")[: len(sizes)]
        ]
        graph.node("Split", [x, graph.constant(sizes, f"{name}/sizes")], names, name=name, axis=1)
        before = names[4]

        def gate(row: int, part: str, state: str) -> str:
            looked = graph.node("Mul", [state, graph.constant(peephole[row : row + 1], f"{name}/w{row}")])
            made = graph.node("Sigmoid", [graph.node("Add", [part, looked])])
            return graph.node("Mul", [made, names[5 + row]]) if dropout else made

        kept = graph.node("Mul", [gate(1, names[1], before), before])
        new = graph.node("Mul", [gate(0, names[0], before), graph.node("Tanh", [names[2]])])
        state = graph.node("Add", [kept, new])
        shown = graph.node("Mul", [gate(2, names[3], state), graph.node("Tanh", [state])])
        return graph.node("Concat", [state, shown], name, name=name, axis=1)

    wide = peephole.astype(np.float64)

    def apply(x: Any) -> Any:
        i, f, c, o, before = x[: 5 * cell].reshape(5, cell)
        scales = x[5 * cell :] if dropout else (1.0, 1.0, 1.0)
        i, f = sigmoid(i + wide[0] * before) * scales[0], sigmoid(f + wide[1] * before) * scales[1]
        state = f * before + i * np.tanh(c)
        return np.concatenate([state, sigmoid(o + wide[2] * state) * scales[2] * np.tanh(state)])

    return Function(2 * cell, emit, apply)


def gru(component: Component, in_dim: int) -> Function:
    """[z, r, h part, c before, s before] -> [h, c]; h = tanh(h part + W (s * r)), c = (1 - z) h + z c before."""
    weights = component.matrix("w_h")
    cell, recurrent = component.integer("CellDim"), component.integer("RecurrentDim")
    expect(component, in_dim, 3 * cell + 2 * recurrent)
    sizes = [cell, recurrent, cell, cell, recurrent]
    if weights.shape != (cell, recurrent):
        raise Refused(f"{component.name}: its parameters are {list(weights.shape)}", node=component.name)

    def emit(graph: Graph, x: str, name: str) -> str:
        names = [graph.fresh(f"{name}/{part}") for part in ("z", "r", "h", "c", "s")]
        graph.node("Split", [x, graph.constant(np.array(sizes, np.int64), f"{name}/sizes")], names, name=name, axis=1)
        z, r, part, before, s = names
        turned = graph.node("MatMul", [graph.node("Mul", [s, r]), graph.constant(weights.T, f"{name}/w")])
        h = graph.node("Tanh", [graph.node("Add", [part, turned])])
        new = graph.node("Sub", [h, graph.node("Mul", [z, h])])
        state = graph.node("Add", [new, graph.node("Mul", [z, before])])
        return graph.node("Concat", [h, state], name, name=name, axis=1)

    wide = weights.astype(np.float64)

    def apply(x: Any) -> Any:
        z, r, part, before, s = np.split(x, np.cumsum(sizes)[:-1])
        h = np.tanh(part + wide @ (s * r))
        return np.concatenate([h, (1 - z) * h + z * before])

    return Function(2 * cell, emit, apply)
