"""The weights of an LSTM as the file has them, by gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .reading import Operator, Quantisation
from .schema import ACTIVATIONS
from .scope import Array, Scope

GATES = ["input", "forget", "cell", "output"]
ONNX_ORDER = ["input", "output", "forget", "cell"]


@dataclass(frozen=True)
class Lstm:
    """Arrays hold real numbers. `weights`: kind ("input", "recurrent", "bias", "norm") -> gate -> array.

    `integer`: data, states and gates are quantised; `hybrid`: only the weights are.
    """

    weights: Mapping[str, Mapping[str, Array]]
    units: int  # of the cell
    outputs: int
    coupled: bool  # the input gate is 1 - the forget gate
    peepholes: Array | None  # [3, units]: input, output, forget, in ONNX's order
    projection: Array | None  # [outputs, units]
    projection_bias: Array | None
    cell_clip: float
    projection_clip: float
    activation: str
    hybrid: bool
    integer: bool
    state: Quantisation | None  # of what the net gives back to itself
    cell: Quantisation | None
    hidden: Quantisation | None  # before the projection

    @property
    def plain(self) -> bool:
        """Whether ONNX's LSTM computes the same."""
        extra = self.projection is not None or self.cell_clip or self.weights["norm"] or self.hybrid or self.integer
        return not extra

    def stacked(self, kind: str) -> Array:
        """All gates in ONNX's order. Coupled: sigmoid(-x) is 1 - sigmoid(x), so the input gate has the forget gate's
        weights with the other sign, and ONNX's coupling makes the forget gate of it."""
        of = dict(self.weights[kind])
        if self.coupled:
            of["input"] = -of["forget"]
        return np.concatenate([of[gate] for gate in ONNX_ORDER]).astype(np.float32)


def lstm_of(scope: Scope, op: Operator, first: int, states: Sequence[int], norms: Sequence[int]) -> Lstm:
    """`first`: the position of the first weights; `states`: tensors of the output's and the cell's state."""
    given = [op.inputs[position] if position < len(op.inputs) else -1 for position in range(first, first + 17)]

    def real(index: int) -> Array | None:
        if index < 0:
            return None
        found = scope.real_constant(index)
        if found is None:
            raise op.refuse("has computed weights")
        return found

    data, needed = op.inputs[0], [*given[1:4], *given[5:8], *given[12:15]]
    if len(states) != 2 or any(index < 0 for index in (*needed, *states)):
        raise op.refuse("lacks weights, biases or states")
    kinds = {"input": given[0:4], "recurrent": given[4:8], "norm": [*norms, -1, -1, -1, -1][:4]}
    weights = {kind: _by_gate([real(index) for index in indices]) for kind, indices in kinds.items()}
    weights["bias"] = _by_gate([_bias(scope, op, data, *pair) for pair in zip(given[0:4], given[11:15], strict=True)])
    coupled = "input" not in weights["input"]
    units, outputs = weights["recurrent"]["forget"].shape
    peep = _by_gate([real(given[8]), real(given[9]), None, real(given[10])])
    peepholes = None
    if peep:
        if coupled:
            peep["input"] = -peep["forget"]
        peepholes = np.stack([peep[gate] for gate in ("input", "output", "forget")]).astype(np.float32)
    integer = scope.quantisation(data) is not None
    _check(op, weights, coupled, units, outputs)
    of_state, of_cell = (scope.tensor(index).quantisation for index in states)
    return Lstm(
        weights,
        units,
        outputs,
        coupled,
        peepholes,
        real(given[15]),
        real(given[16]),
        float(op.options["cell_clip"]),
        float(op.options["proj_clip"]),
        ACTIVATIONS[op.options["activation"]],
        hybrid=not integer and scope.quantisation(given[1]) is not None,
        integer=integer,
        state=of_state,
        cell=of_cell,
        hidden=scope.tensor(op.intermediates[4]).quantisation
        if len(op.intermediates) == 5 and op.intermediates[4] >= 0
        else None,
    )


def _by_gate(arrays: Sequence[Array | None]) -> dict[str, Array]:
    return {gate: array for gate, array in zip(GATES, arrays, strict=True) if array is not None}


def _bias(scope: Scope, op: Operator, data: int, weights: int, bias: int) -> Array | None:
    """An integer one has the scale of the data times that of the weights."""
    if bias < 0:
        return None
    array = scope.array(bias)
    if array is None:
        raise op.refuse("has computed biases")
    of_data, of_weights = scope.quantisation(data), scope.quantisation(weights) if weights >= 0 else None
    if array.dtype.kind != "i":
        return array
    if of_data is None or of_weights is None:
        raise op.refuse("has integer biases without a scale")
    return (array * (of_data.scale.astype(np.float64) * of_weights.scale)).astype(np.float32)


def _check(op: Operator, weights: Mapping[str, Mapping[str, Array]], coupled: bool, units: int, outputs: int) -> None:
    gates = [gate for gate in GATES if not (coupled and gate == "input")]
    shapes = {
        "input": (units, weights["input"]["forget"].shape[-1]),
        "recurrent": (units, outputs),
        "bias": (units,),
        "norm": (units,),
    }
    for kind, shape in shapes.items():
        for gate in gates if kind != "norm" or weights[kind] else []:
            if gate not in weights[kind] or weights[kind][gate].shape != shape:
                raise op.refuse(f"has {kind} weights of the {gate} gate that are not of the shape {list(shape)}")
