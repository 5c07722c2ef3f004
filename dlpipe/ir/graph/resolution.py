"""How finely a quantised model resolves its own outputs: what is nearer than that is as good as equal.

The form is that of `metadata["resolution"]` in the contract (see measure/tolerances.py).
"""

from typing import Any

import onnx

from . import writing

_ROUNDS = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
_DOWNSTREAM = 5e-3  # of the range: float operators behind a quantised one
_AGREEMENT = 0.99  # of indices that were chosen among quantised numbers
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)


def resolutions(model: Any) -> dict[str, dict[str, float]]:
    """Output -> resolution, of the outputs that a quantised value leads to. Stored weights are none: nothing rounds
    them when the model runs."""
    stored = writing.Stored(model)
    quantised: set[str] = set()  # values that something rounded
    behind: set[str] = set()  # and all that depend on these
    steps: dict[str, float] = {}
    for node in model.graph.node:
        rounds = node.op_type in _ROUNDS and stored.get(node.input[0]) is None
        if rounds:
            quantised.update(node.output)
        elif node.op_type == "DequantizeLinear" and node.input[0] in quantised:
            scale = stored.get(node.input[1])
            if scale is not None and scale.size == 1:
                steps.update(dict.fromkeys(node.output, float(scale.item())))
        if rounds or any(name in behind for name in node.input):
            behind.update(node.output)
    found: dict[str, dict[str, float]] = {}
    for value in model.graph.output:
        if value.name not in behind:
            continue
        if value.name in quantised:
            found[value.name] = {"step": 1.0}
        elif value.name in steps:
            found[value.name] = {"step": steps[value.name]}
        elif value.type.tensor_type.elem_type in _FLOATS:
            found[value.name] = {"range": _DOWNSTREAM}
        else:
            found[value.name] = {"agreement": _AGREEMENT}
    return found
