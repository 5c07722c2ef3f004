"""How finely an 8-bit net resolves its own outputs: what is nearer than that is as good as equal.

The form is that of `metadata["resolution"]` in the contract (see measure/tolerances.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from .converter import Converter
from .nets import Operator

_DOWNSTREAM = 5e-3  # of the range: operators in floats behind 8-bit ones
# By how much a step of their input can move the output of these: the bound on their slope. A softmax has p (1 - p) for
# its own input and as much for all others together.
_SLOPES = {
    **dict.fromkeys(
        ("Int8Dequantize", "Relu", "Tanh", "Reshape", "Flatten", "FlattenToVec", "Transpose", "NHWC2NCHW", "NCHW2NHWC",
         "Squeeze", "ExpandDims", "Copy", "Alias", "Clip", "MaxPool", "AveragePool", "StopGradient", "EnsureCPUOutput"),
        1.0,
    ),
    "Sigmoid": 0.25,
    "Softmax": 0.5,
}  # fmt: skip


def resolutions(
    converter: Converter, operators: Sequence[Operator], outputs: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Nothing for outputs that no 8-bit value leads to."""
    steps: dict[str, float | None] = {}  # of values that an 8-bit one leads to; None where it cannot be told
    for op in operators:
        slope = _SLOPES.get(op.type)
        reached = [steps[name] for name in op.inputs if name in steps]
        step = reached[0] * slope if slope is not None and reached and reached[0] is not None else None
        for name in op.outputs:
            if op.inputs and name in converter.quantised:
                steps[name] = converter.quantised[name][0]
            elif reached:
                steps[name] = step
    made = {name: steps[name] for name in outputs if name in steps}
    return {name: {"range": _DOWNSTREAM} if step is None else {"step": step} for name, step in made.items()}
