"""Pooling. Windows that reach over the edge take no account of what is outside."""

from __future__ import annotations

from typing import Any

from .handlers import handles
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import Scope
from .windows import pads, strides

# Of a step: more than the noise of float sums, less than what lies between two averages of a usual window.
_BIAS = 2.0**-10


@handles("AVERAGE_POOL_2D")
def average_pool(scope: Scope, op: Operator) -> None:
    """A quantised average that lies between two steps, as many do, is rounded away from the stored zero."""
    data, quantisation = op.inputs[0], scope.quantisation(op.inputs[0])
    if quantisation is None:
        _pool(scope, op, "AveragePool")
        return
    name, window = scope.name(op.outputs[0]), _window(scope, op)
    made = scope.node("AveragePool", [scope.real(data, True)], name, **window)
    step, zero = float(quantisation.scale[0]), int(quantisation.zero_point[0])
    least = scope.const(
        step * min(_BIAS, 1 / (4 * op.options["height"] * op.options["width"])), f"{name}__bias", "float32"
    )
    if scope.tensor(data).dtype == "uint8":
        bias = least
    else:
        stored = scope.node("Add", [made, scope.const(step * zero, f"{name}__zero", "float32")], name)
        bias = scope.node("Mul", [scope.node("Sign", [stored], name), least], name)
    activation = ACTIVATIONS[op.options["activation"]]
    scope.result(op.outputs[0], "Add", [made, bias], real=True, nchw=True, activation=activation, like=data)


@handles("MAX_POOL_2D")
def max_pool(scope: Scope, op: Operator) -> None:
    _pool(scope, op, "MaxPool", like=op.inputs[0])


@handles("L2_POOL_2D")
def l2_pool(scope: Scope, op: Operator) -> None:
    """The root of the average of the squares."""
    data, name = scope.real(op.inputs[0], True), scope.name(op.outputs[0])
    squares = scope.node("Mul", [data, data], name)
    average = scope.node("AveragePool", [squares], name, **_window(scope, op))
    scope.result(
        op.outputs[0], "Sqrt", [average], real=True, nchw=True, activation=ACTIVATIONS[op.options["activation"]]
    )


def _pool(scope: Scope, op: Operator, kind: str, like: int | None = None) -> None:
    scope.result(
        op.outputs[0],
        kind,
        [scope.real(op.inputs[0], True)],
        real=True,
        nchw=True,
        activation=ACTIVATIONS[op.options["activation"]],
        like=like,
        **_window(scope, op),
    )


def _window(scope: Scope, op: Operator) -> dict[str, Any]:
    kernel, step = [op.options["height"], op.options["width"]], strides(op)
    if min(kernel) < 1:
        raise op.refuse(f"has a window of {kernel}")
    sizes = scope.tensor(op.inputs[0]).shape[1:3]
    return {"kernel_shape": kernel, "strides": step, **pads(op, sizes, kernel, step, (1, 1))}
