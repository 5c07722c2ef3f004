"""How finely a quantised model resolves its own outputs: what is nearer than that is as good as equal.

The form is that of `metadata["resolution"]` in the contract (see measure/tolerances.py).
"""

from typing import Any

import onnx

from . import writing

_ROUNDS = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
_DOWNSTREAM = 5e-3  # of the range: float operators behind a quantised one
_AGREEMENT = 0.99  # of indices that were chosen among quantised numbers
# By how much a step of their input can move the output of these: the bound on their slope. A softmax has p (1 - p) for
# its own input and as much for all others together.
_SLOPES = {
    **dict.fromkeys(
        ("DequantizeLinear", "Identity", "Reshape", "Flatten", "Squeeze", "Transpose", "Relu", "Tanh"), 1.0
    ),
    "Sigmoid": 0.25,
    "Softmax": 0.5,
}
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)


def resolutions(model: Any) -> dict[str, dict[str, float]]:
    """Output -> resolution, of the outputs that a quantised value leads to. Stored weights are none: nothing rounds
    them when the model runs."""
    stored = writing.Stored(model)
    quantised: set[str] = set()  # values that something rounded
    behind: set[str] = set()  # and all that depend on these
    steps: dict[str, float] = {}  # what a step is worth there, in real numbers: the coarsest on the way
    own: dict[str, float] = {}  # of the stored numbers themselves
    for node in model.graph.node:
        rounds = node.op_type in _ROUNDS and stored.get(node.input[0]) is None
        step = steps.get(node.input[0], 0.0) * _SLOPES.get(node.op_type, 0.0) if node.input else 0.0
        if rounds:
            quantised.update(node.output)
            scale = stored.get(node.input[1]) if node.op_type == "QuantizeLinear" else None
            if scale is not None and scale.size == 1:
                own[node.output[0]] = float(scale.item())
                step = max(steps.get(node.input[0], 0.0), own[node.output[0]])
        elif node.op_type == "DequantizeLinear" and node.input[0] in quantised and not step:
            scale = stored.get(node.input[1])
            step = float(scale.item()) if scale is not None and scale.size == 1 else 0.0
        if step:
            steps.update(dict.fromkeys(node.output, step))
        if rounds or any(name in behind for name in node.input):
            behind.update(node.output)
    found: dict[str, dict[str, float]] = {}
    for value in model.graph.output:
        name = value.name
        if name in quantised:
            found[name] = {"step": steps[name] / own[name] if name in own else 1.0}
        elif name in behind and value.type.tensor_type.elem_type not in _FLOATS:
            found[name] = {"agreement": _AGREEMENT}
        elif name in behind:
            found[name] = {"step": steps[name]} if name in steps else {"range": _DOWNSTREAM}
    return found
