"""LSTM, GRU and RNN, step by step: TFLite's own keep their state from one call to the next."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .graph import Array, Tensor
from .handlers import handles
from .reading import Node
from .scope import Scope

MOST_STEPS = 512  # each step is a dozen operators
_USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass
class _Cell:
    """One direction: stored weights, and what writes its operators."""

    s: Scope
    node: Node
    recurrent: Array  # [gates * hidden, hidden]
    bias: Array  # [gates * hidden], of the recurrent product
    batch: int
    hidden: int

    @property
    def name(self) -> str:
        return self.node.name or self.node.op

    def op(self, kind: str, *tensors: Tensor) -> Tensor:
        return self.s.emit(kind, tensors, (self.batch, self.hidden), "float32", name=self.name)

    def product(self, h: Tensor | None, rows: slice = slice(None)) -> Tensor | None:
        """h times the recurrent weights, plus their bias; None where both are nothing."""
        weights, bias = self.recurrent[rows], self.bias[rows]
        if h is None and not bias.any():
            return None
        stored = self.s.store(self.name + "/bias", bias.astype(np.float32))
        if h is None:
            return self.s.store(self.name + "/bias", np.broadcast_to(bias, (self.batch, len(bias))).astype(np.float32))
        matrix = self.s.store(self.name + "/recurrent", weights.astype(np.float32))
        return self.s.emit("FULLY_CONNECTED", [h, matrix, stored], (self.batch, len(bias)), "float32", name=self.name)

    def add(self, a: Tensor, b: Tensor | None) -> Tensor:
        return a if b is None else self.s.emit("ADD", [a, b], a.shape, "float32", name=self.name)

    def gates(self, tensor: Tensor, count: int) -> list[Tensor]:
        axis = self.s.store("axis", np.asarray(1, np.int32))
        shape = (self.batch, self.hidden)
        if count == 1:
            return [tensor]
        return self.s.emit_many("SPLIT", [axis, tensor], [(self.name, shape, "float32")] * count, numSplits=count)


State = tuple[Tensor | None, Tensor | None]  # hidden, cell; None: zeros


def _lstm(cell: _Cell, given: Tensor, state: State) -> State:
    h, c = state
    i, o, f, g = cell.gates(cell.add(given, cell.product(h)), 4)
    new = cell.op("MUL", cell.op("LOGISTIC", i), cell.op("TANH", g))
    if c is not None:
        new = cell.add(cell.op("MUL", cell.op("LOGISTIC", f), c), new)
    return cell.op("MUL", cell.op("LOGISTIC", o), cell.op("TANH", new)), new


def _gru(cell: _Cell, given: Tensor, state: State) -> State:
    h, size = state[0], cell.hidden
    z, r, n = cell.gates(given, 3)
    z = cell.op("LOGISTIC", cell.add(z, cell.product(h, slice(0, size))))
    r = cell.op("LOGISTIC", cell.add(r, cell.product(h, slice(size, 2 * size))))
    if cell.node.get("linear_before_reset", 0):
        inner = cell.product(h, slice(2 * size, None))
        inner = None if inner is None else cell.op("MUL", r, inner)
    else:
        inner = cell.product(None if h is None else cell.op("MUL", r, h), slice(2 * size, None))
    n = cell.op("TANH", cell.add(n, inner))
    new = cell.op("SUB", n, cell.op("MUL", z, n))
    return cell.add(new, None if h is None else cell.op("MUL", z, h)), None


def _rnn(cell: _Cell, given: Tensor, state: State) -> State:
    return cell.op("TANH", cell.add(given, cell.product(state[0]))), None


_STEPS: dict[str, Callable[[_Cell, Tensor, State], State]] = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


@handles("LSTM", "GRU", "RNN")
def _recurrent(s: Scope, node: Node) -> None:
    _check(s, node)
    steps, batch, _ = s.shape(node.inputs[0])
    count = _GATES[node.op]
    weights, recurrent = s.needed(node, 1, "its weights"), s.needed(node, 2, "its recurrent weights")
    hidden = recurrent.shape[2]
    bias = s.maybe(node, 3, "its bias")
    bias = np.zeros((len(weights), 2 * count * hidden), np.float32) if bias is None else bias
    x = s.plainly(s.real(node.inputs[0]))
    directions = {"forward": [1], "reverse": [-1], "bidirectional": [1, -1]}[node.get("direction", "forward")]
    series, lasts, cells = [], [], []
    for index, step in enumerate(directions):
        name = f"{node.name or node.op}/{index}"
        stored = s.store(name + "/weights", weights[index].astype(np.float32))
        added = s.store(name + "/bias", bias[index, : count * hidden].astype(np.float32))
        shape = (steps, batch, count * hidden)
        every = s.emit("FULLY_CONNECTED", [x, stored, added], shape, "float32", name=name, keepNumDims=True)
        rows = s.emit_many("UNPACK", [every], [(name, shape[1:], "float32")] * steps, num=steps)
        cell = _Cell(s, node, recurrent[index], bias[index, count * hidden :], batch, hidden)
        state: State = (_initial(s, node, 5, index), _initial(s, node, 6, index))
        made = []
        for row in rows[::step]:
            state = _STEPS[node.op](cell, row, state)
            made.append(state[0])
        series.append(made[::step])
        lasts.append(state[0])
        cells.append(state[1])
    _bind_all(s, node, series, lasts, cells)


def _bind_all(
    s: Scope, node: Node, series: list[list[Tensor | None]], lasts: list[Tensor | None], cells: list[Tensor | None]
) -> None:
    """Y [steps, directions, batch, hidden], Y_h and Y_c [directions, batch, hidden]."""
    name = node.outputs[0]
    if name:
        steps, directions, batch, hidden = s.shape(name)
        flat = [each for step in zip(*series, strict=True) for each in step]
        made = s.emit("PACK", flat, (len(flat), batch, hidden), "float32", name=name, valuesCount=len(flat))
        s.bind(name, s.reshaped(made, (steps, directions, batch, hidden), name))
    for index, values in ((1, lasts), (2, cells)):
        name = node.outputs[index] if index < len(node.outputs) else ""
        if name:
            s.bind(name, s.emit("PACK", values, s.shape(name), "float32", name=name, valuesCount=len(values)))


def _check(s: Scope, node: Node) -> None:
    usual = _USUAL[node.op] * (2 if node.get("direction", "forward") == "bidirectional" else 1)
    given = [each.decode() if isinstance(each, bytes) else each for each in node.get("activations") or usual]
    if [each.lower() for each in given] != [each.lower() for each in usual]:
        raise node.refuse(f"has the activations {', '.join(given)}, and the usual ones are written out here")
    if node.get("clip") is not None or node.get("layout", 0) or node.get("input_forget", 0):
        raise node.refuse("clips, couples its gates or has the batch first, which is not written out here")
    if any(index < len(node.inputs) and node.inputs[index] for index in (4, 7)):
        raise node.refuse("has lengths of sequences or peepholes, which are not written out here")
    steps = s.shape(node.inputs[0])[0]
    if steps > MOST_STEPS:
        raise node.refuse(f"has {steps} steps; written out step by step, {MOST_STEPS} are the most")


def _initial(s: Scope, node: Node, index: int, direction: int) -> Tensor | None:
    if node.op != "LSTM" and index == 6:
        return None
    name = node.inputs[index] if index < len(node.inputs) else ""
    if not name:
        return None
    stored = s.constant(name)
    if stored is not None:
        return s.store(name, stored[direction].astype(np.float32)) if stored.any() else None
    whole = s.plainly(s.real(name))
    shape = (1, *whole.shape[1:])
    begin, size = s.ints(name + "/begin", [direction, 0, 0]), s.ints(name + "/size", shape)
    part = s.emit("SLICE", [whole, begin, size], shape, "float32", name=name)
    return s.reshaped(part, shape[1:], name)
