"""An LSTM cell written out, for what ONNX's LSTM does not have: a Scan over the time steps.

An integer cell computes with int8 data and int16 gates. It is written with float numbers that are rounded to the same
steps: gates before their activation to 2^-12, after it to 2^-15, the cell's state to the file's own step.
"""

from __future__ import annotations

from dataclasses import replace

from ..kit.emit import Graph
from .hybrid import rounded, rounded_symmetric
from .lstm import GATES, Lstm
from .reading import Operator
from .scope import Scope

_GATE_STEP, _ACTIVATED_STEP = 2.0**-12, 2.0**-15
_INT16 = (-32768, 32767)
_NORM_EPSILON = 1e-8


def scanned(scope: Scope, op: Operator, lstm: Lstm, sequence: str, *, reverse: bool) -> str:
    """[time, batch, features] -> [time, batch, outputs], real numbers."""
    if lstm.integer and (lstm.weights["norm"] or lstm.peepholes is not None or lstm.projection is not None):
        raise op.refuse("in integers has layer normalisation, peepholes or a projection")
    if lstm.integer and (lstm.state is None or lstm.cell is None):
        raise op.refuse("in integers has states without scales")
    if lstm.activation not in ("TANH", "RELU", "NONE"):
        raise op.refuse(f"has the activation {lstm.activation}")
    name = scope.name(op.outputs[0])
    asymmetric = bool(op.options["asymmetric"])
    gates = [gate for gate in GATES if not (lstm.coupled and gate == "input")]
    if lstm.hybrid:
        sequence = _held(scope, sequence, name, [2], asymmetric)
    parts = [_matrix(scope, sequence, lstm, "input", gate, name) for gate in gates]
    if not lstm.weights["norm"]:
        parts = [
            scope.node("Add", [part, scope.const(lstm.weights["bias"][gate], name, "float32")], name)
            for part, gate in zip(parts, gates, strict=True)
        ]
    if lstm.integer:
        parts = [_steps(scope, part, name, _GATE_STEP) for part in parts]
    batch = scope.node("Shape", [sequence], name, start=1, end=2)
    starts = []
    for size in (lstm.outputs, lstm.units):
        shape = scope.node("Concat", [batch, scope.const([size], name, "int64")], name, axis=0)
        starts.append(scope.node("Expand", [scope.const(0, name, "float32"), shape], name))
    body = _Cell(scope, op, lstm, gates, name, asymmetric).graph()
    made = [scope.graph.fresh(f"{name}__{each}") for each in ("last", "cell", "all")]
    direction = int(reverse)
    scope.graph.node(
        "Scan",
        [*starts, *parts],
        made,
        name=name,
        body=body,
        num_scan_inputs=len(parts),
        scan_input_directions=[direction] * len(parts),
        scan_output_directions=[direction],
    )
    return made[2]


def _matrix(scope: Scope, value: str, lstm: Lstm, kind: str, gate: str, name: str) -> str:
    return scope.node(
        "MatMul", [value, scope.const(lstm.weights[kind][gate].T, f"{name}__{kind}_{gate}", "float32")], name
    )


def _held(scope: Scope, value: str, name: str, axes: list[int], asymmetric: bool) -> str:
    return rounded(scope, value, name, axes) if asymmetric else rounded_symmetric(scope, value, name, axes)


def _steps(scope: Scope, value: str, name: str, step: float, zero: int = 0, limits: tuple[int, int] = _INT16) -> str:
    """Rounded to multiples of the step, within what the type holds."""
    size = scope.const(step, f"{name}__step", "float32")
    counted = scope.node("Round", [scope.node("Div", [value, size], name)], name)
    bounds = [scope.const(limit - zero, f"{name}__limit", "float32") for limit in limits]
    return scope.node("Mul", [scope.node("Clip", [counted, *bounds], name), size], name)


class _Cell:
    """The body of the Scan: output state, cell state, and a part of each gate -> both states, output."""

    def __init__(self, outer: Scope, op: Operator, lstm: Lstm, gates: list[str], name: str, asymmetric: bool) -> None:
        self.lstm, self.gates, self.name, self.asymmetric = lstm, gates, f"{name}__cell", asymmetric
        self.inner: Graph = outer.graph.nested(self.name)
        # No tensors of the file are here: their values are in the outer graph.
        self.scope = Scope(outer.model, replace(outer.subgraph, tensors=()), self.inner, outer.whole, outer.depth + 1)
        self.op = op

    def graph(self) -> object:
        lstm, name = self.lstm, self.name
        h, c, *parts = [self.inner.fresh(f"{name}_{each}") for each in ("h", "c", *self.gates)]
        sizes = {h: lstm.outputs, c: lstm.units}
        for value in (h, c, *parts):
            self.inner.input(value, "float32", [f"{name}_batch", sizes.get(value, lstm.units)])
        held = _held(self.scope, h, name, [1], self.asymmetric) if lstm.hybrid else h
        before = {gate: self._before(gate, part, held) for gate, part in zip(self.gates, parts, strict=True)}
        new_c, gate_o = self._cell(before, c)
        new_h = self._output(gate_o, new_c)
        for value, size in ((new_h, lstm.outputs), (new_c, lstm.units), (new_h, lstm.outputs)):
            out = self.node("Identity", value)
            self.inner.output(out, "float32", [f"{name}_batch", size])
        return self.inner.proto()

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        return self.scope.node(kind, list(inputs), self.name, **attributes)

    def number(self, value: object) -> str:
        return self.scope.const(value, f"{self.name}_number", "float32")

    def _before(self, gate: str, part: str, held: str) -> str:
        """What goes into the gate's activation, but for the peephole."""
        recurrent = _matrix(self.scope, held, self.lstm, "recurrent", gate, self.name)
        if not self.lstm.integer:
            return self.node("Add", part, recurrent)
        both = self.node("Add", part, self.round(recurrent, _GATE_STEP))
        return self.node("Clip", both, *(self.number(limit * _GATE_STEP) for limit in _INT16))

    def round(self, value: str, step: float) -> str:
        return _steps(self.scope, value, self.name, step) if self.lstm.integer else value

    def _gate(self, gate: str, before: str, c: str, kind: str = "Sigmoid") -> str:
        lstm = self.lstm
        if lstm.peepholes is not None and gate != "cell":
            row = ("input", "output", "forget").index(gate)
            before = self.node("Add", before, self.node("Mul", c, self.number(lstm.peepholes[row])))
        if gate in lstm.weights["norm"]:
            before = self._normalised(gate, before)
        return self.round(self.node(kind, before), _ACTIVATED_STEP)

    def _normalised(self, gate: str, value: str) -> str:
        axes = self.scope.const([-1], f"{self.name}_axes", "int64")
        centred = self.node("Sub", value, self.node("ReduceMean", value, axes, keepdims=1))
        spread = self.node("ReduceMean", self.node("Mul", centred, centred), axes, keepdims=1)
        spread = self.node("Sqrt", self.node("Add", spread, self.number(_NORM_EPSILON)))
        scaled = self.node("Mul", self.node("Div", centred, spread), self.number(self.lstm.weights["norm"][gate]))
        return self.node("Add", scaled, self.number(self.lstm.weights["bias"][gate]))

    def _cell(self, before: dict[str, str], c: str) -> tuple[str, str]:
        """(the new cell state, what goes into the output gate)."""
        lstm = self.lstm
        step = float(lstm.cell.scale[0]) if lstm.integer and lstm.cell is not None else 0.0
        kind = {"TANH": "Tanh", "RELU": "Relu", "NONE": "Identity"}[lstm.activation]
        forget = self._gate("forget", before["forget"], c)
        new = self._gate("cell", before["cell"], c, kind)
        if lstm.coupled:
            enter = self.node("Sub", self.number(1 if not lstm.integer else _INT16[1] * _ACTIVATED_STEP), forget)
        else:
            enter = self._gate("input", before["input"], c)
        kept = self.round(self.node("Mul", forget, c), step)
        state = self.node("Add", kept, self.round(self.node("Mul", enter, new), step))
        if lstm.integer:
            state = self.node("Clip", state, *(self.number(limit * step) for limit in _INT16))
        if lstm.cell_clip:
            state = self.node("Clip", state, self.number(-lstm.cell_clip), self.number(lstm.cell_clip))
        return state, self._gate("output", before["output"], state)

    def _output(self, gate: str, c: str) -> str:
        lstm = self.lstm
        kind = {"TANH": "Tanh", "RELU": "Relu", "NONE": "Identity"}[lstm.activation]
        hidden = self.node("Mul", gate, self.round(self.node(kind, c), _ACTIVATED_STEP))
        if lstm.projection is not None:
            held = _held(self.scope, hidden, self.name, [1], self.asymmetric) if lstm.hybrid else hidden
            hidden = self.node("MatMul", held, self.number(lstm.projection.T))
            if lstm.projection_bias is not None:
                hidden = self.node("Add", hidden, self.number(lstm.projection_bias))
            if lstm.projection_clip:
                hidden = self.node(
                    "Clip", hidden, self.number(-lstm.projection_clip), self.number(lstm.projection_clip)
                )
        if not lstm.integer:
            return hidden
        assert lstm.state is not None
        return _steps(
            self.scope, hidden, self.name, float(lstm.state.scale[0]), int(lstm.state.zero_point[0]), (-128, 127)
        )
