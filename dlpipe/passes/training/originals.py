"""The float weights that a quantised model was made from, found in its original."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph.infra import constant
from .fake import Weight

_STEPS = 1.01  # rounding moves a weight by half a step, AdaRound or training before this by a whole one
_TURNS = 20
_CLIPPED = 0.02  # share of the weights that may lie outside the range


def float_weight(weight: Weight, original: ir.Model) -> tuple[Any, bool] | None:
    """(the array of the same node, by its output or else by its name, in `original`; whether it is stored there just
    so). None where there is none that this integer tensor can have been made from.

    Smoothing and equalisation multiply what belongs to a channel by one factor, at the input or the output of a layer:
    these factors are found again, and the array is the original's weights with them.
    """
    outputs = {str(value.name): node for node in original.graph for value in node.outputs}
    named = {str(node.name): node for node in original.graph if node.name}
    user = weight.user
    for node in (outputs.get(str(user.outputs[0].name)), named.get(str(user.name))):
        if node is None or node.op_type != user.op_type or weight.index >= len(node.inputs):
            continue
        array = constant(node.inputs[weight.index])
        if array is None or array.dtype != np.float32 or array.shape != weight.floats().shape:
            continue
        if _is_like(weight, array):
            return array, True
        if array.ndim > 1 and _is_like(weight, scaled := _rescaled(weight.floats(), array)):
            return scaled, False
    return None


def _rescaled(floats: Any, array: Any) -> Any:
    """The array times one factor for each place along its first axis and one along its second: whichever of them is
    the input's. Those that come nearest, by turns."""
    for _ in range(_TURNS):
        for axis in (0, 1):
            others = tuple(each for each in range(array.ndim) if each != axis)
            energy = np.square(array).sum(others, keepdims=True)
            array = array * ((floats * array).sum(others, keepdims=True) / np.maximum(energy, 1e-12))
    return array.astype(np.float32)


def _is_like(weight: Weight, array: Any) -> bool:
    steps = np.abs(weight.floats() - array) / weight.spread(constant(weight.scale), array.ndim)
    return bool((steps > _STEPS).mean() <= _CLIPPED)
