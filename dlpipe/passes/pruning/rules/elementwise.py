"""Operators whose output at a place depends on their inputs at that place, with broadcasting."""

from ..following import Step
from ..units import Labels

_ALIGNED_AT_THE_END = 7  # since which set two operands of other ranks are


def elementwise(step: Step) -> None:
    """Dims of the same size are cut together; a dim of one that is stretched over many stays."""
    if step.traced.opset < _ALIGNED_AT_THE_END and len(step.node.inputs) > 1:
        return
    found = [(index, step.dims(index)) for index in range(len(step.node.inputs)) if step.has(index)]
    known = [(index, dims) for index, dims in found if dims is not None]
    if len(known) < len(found):
        return
    rank = max(len(dims) for _, dims in known)
    made: list[Labels] = []
    for axis in range(-rank, 0):
        operands = [index for index, dims in known if len(dims) >= -axis]
        made.append(_broadcast(step, operands, axis))
    for output in range(len(step.node.outputs)):
        step.put(made, output)


def _broadcast(step: Step, operands: list[int], axis: int) -> Labels:
    labels = {index: step.claim(index, axis) for index in operands}
    sizes = {index: step.size(index, axis) for index in operands}
    wide = [index for index in operands if sizes[index] != 1]
    for index in operands if not wide else ():
        step.tie(labels[operands[0]], labels[index])
    if not wide:
        return labels[operands[0]]
    for index in operands:
        if index in wide:
            step.tie(labels[wide[0]], labels[index])
        else:
            step.freeze(labels[index])
    return labels[wide[0]]


# fmt: off
_NAMES = (
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip", "Cos",
    "Cosh", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid",
    "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish",
    "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid",
    "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu",
    "Where", "Xor",
)
# fmt: on

RULES = dict.fromkeys(_NAMES, elementwise)
