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
# By how much a step of their input can move the output of these: the bound on their slope. A softmax has p (1 - p) for
# its own input and as much for all others together.
_SLOPES = {
    **dict.fromkeys(
        ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "RELU", "RELU6", "MAX_POOL_2D",
         "AVERAGE_POOL_2D", "MEAN", "PAD", "TANH"),
        1.0,
    ),
    "LOGISTIC": 0.25,
    "SOFTMAX": 0.5,
}  # fmt: skip


def _resolution(scope: Scope, index: int, step: float | None) -> dict[str, float] | None:
    """None for an output that nothing quantised leads to. step: what one is worth there, where that is known."""
    quantisation = scope.quantisation(index)
    if quantisation is not None:
        scale = float(quantisation.scale[0])
        return {"step": (step or scale) / scale}
    if step is not None:
        return {"step": step}
    if not any(_rounds(scope, each) for each in scope.subgraph.operators):
        return None
    return {"range": _DOWNSTREAM} if scope.tensor(index).dtype.startswith("float") else {"agreement": _AGREEMENT}


def _steps(scope: Scope) -> dict[int, float]:
    """Tensor -> what a step is worth there, in real numbers: its own, or the one before it where that is coarser, as
    the logits before a softmax often are."""
    found: dict[int, float] = {}
    for op in scope.subgraph.operators:
        before = found.get(op.inputs[0], 0.0) if op.inputs else 0.0
        step = before * _SLOPES.get(op.op, 0.0) * float(op.options.get("beta", 1.0))
        for index in op.outputs:
            quantisation = scope.quantisation(index)
            own = float(quantisation.scale[0]) if quantisation is not None else 0.0
            if step or own:
                found[index] = max(step, own)
    return found


def _rounds(scope: Scope, op: Operator) -> bool:
    """Whether an operator gives quantised numbers, or quantises its data at run time."""
    given: Subgraph = scope.subgraph
    weights = [given.tensors[index] for index in op.inputs[1:] if index >= 0]
    hybrid = op.op in _HYBRID and any(each.dtype in ("int8", "int4", "uint8") for each in weights)
    return hybrid or any(scope.quantisation(index) is not None for index in op.outputs)


def resolutions(scope: Scope, outputs: list[tuple[str, int]]) -> dict[str, Any]:
    """outputs: (port, tensor)."""
    steps = _steps(scope)
    found = {name: _resolution(scope, index, steps.get(index)) for name, index in outputs}
    return {name: each for name, each in found.items() if each is not None}
