"""How finely a quantised model resolves its own outputs: what is nearer than that is as good as equal.

The form is that of `metadata["resolution"]` in the contract (see measure/tolerances.py).
"""

from __future__ import annotations

from typing import Any

from .reading import Operator, Subgraph
from .scope import Scope

_HYBRID = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
_DOWNSTREAM = 5e-3  # of the range: float operators behind a quantised one, or data that is quantised at run time
_AGREEMENT = 0.99  # of indices that were chosen among quantised numbers


def resolution(scope: Scope, index: int) -> dict[str, float] | None:
    """None for an output that nothing quantised leads to."""
    maker = next((op for op in scope.subgraph.operators if index in op.outputs), None)
    quantisation = scope.quantisation(index)
    if quantisation is not None:
        return {"step": 1.0}
    if maker is not None and maker.op == "DEQUANTIZE":
        given = scope.quantisation(maker.inputs[0])
        if given is not None and not scope.is_constant(maker.inputs[0]):
            return {"step": float(given.scale[0])}
    if not any(_rounds(scope, each) for each in scope.subgraph.operators):
        return None
    return {"range": _DOWNSTREAM} if scope.tensor(index).dtype.startswith("float") else {"agreement": _AGREEMENT}


def _rounds(scope: Scope, op: Operator) -> bool:
    """Whether an operator gives quantised numbers, or quantises its data at run time."""
    given: Subgraph = scope.subgraph
    weights = [given.tensors[index] for index in op.inputs[1:] if index >= 0]
    hybrid = op.op in _HYBRID and any(each.dtype in ("int8", "int4", "uint8") for each in weights)
    return hybrid or any(scope.quantisation(index) is not None for index in op.outputs)


def resolutions(scope: Scope, outputs: list[tuple[str, int]]) -> dict[str, Any]:
    """outputs: (port, tensor)."""
    found = {name: resolution(scope, index) for name, index in outputs}
    return {name: each for name, each in found.items() if each is not None}
