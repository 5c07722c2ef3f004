"""Normalisations by what a window sees around each element."""

from __future__ import annotations

from .pooling import pooled
from .reducing import floored
from .step import Step, Tensor, handles
from .windows import Window, chosen, sliding, turn


@handles("local_response_normalization")
def _response(step: Step) -> Tensor:
    value = step.tensor("input")
    mean = _around(step, step.emit("Mul", [value, value]))
    scaled = step.binary("Add", step.binary("Mul", mean, step.number("alpha")), step.number("bias"))
    return step.result("Div", [value, step.binary("Pow", scaled, step.number("beta"))])


@handles("local_mean_normalization")
def _mean(step: Step) -> Tensor:
    value = step.tensor("input")
    return step.result("Sub", [value, _around(step, value)])


@handles("local_variance_normalization", "local_contrast_normalization")
def _variance(step: Step) -> Tensor:
    value = step.tensor("input")
    if step.op == "local_contrast_normalization":
        value = step.emit("Sub", [value, _around(step, value)])
    deviation = step.emit("Sqrt", [_around(step, step.emit("Mul", [value, value]))])
    return step.result("Div", [value, floored(step, deviation)])


def _around(step: Step, value: Tensor) -> Tensor:
    """The mean of the window around each element; outside are zeros, and they count."""
    size = step.integers("size")
    if len(size) != step.rank(value) or any(not 0 < each < 1 << 16 for each in size):
        step.fail(f"a window of {size} on a tensor of {step.rank(value)} dims")
    window = Window(size, [1] * len(size), [1] * len(size))
    pads = [((each - 1) // 2, each - 1 - (each - 1) // 2) for each in size]
    axes = sliding(window, pads)
    if not axes:
        return value
    turned = turn(step, value, axes)
    found = pooled(step, "AveragePool", turned.value, chosen(window, axes), [pads[axis] for axis in axes], "constant")
    return turned.undo(step, found)
