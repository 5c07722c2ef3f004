"""Pooling. Windows that reach over the edge take no account of what is outside."""

from __future__ import annotations

from .handlers import handles
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import Scope
from .windows import pads, strides


@handles("AVERAGE_POOL_2D")
def average_pool(scope: Scope, op: Operator) -> None:
    _pool(scope, op, "AveragePool")


@handles("MAX_POOL_2D")
def max_pool(scope: Scope, op: Operator) -> None:
    _pool(scope, op, "MaxPool")


@handles("L2_POOL_2D")
def l2_pool(scope: Scope, op: Operator) -> None:
    """The root of the average of the squares."""
    data, name = scope.real(op.inputs[0], True), scope.name(op.outputs[0])
    squares = scope.node("Mul", [data, data], name)
    average = scope.node("AveragePool", [squares], name, **_window(scope, op))
    scope.result(
        op.outputs[0], "Sqrt", [average], real=True, nchw=True, activation=ACTIVATIONS[op.options["activation"]]
    )


def _pool(scope: Scope, op: Operator, kind: str) -> None:
    scope.result(
        op.outputs[0],
        kind,
        [scope.real(op.inputs[0], True)],
        real=True,
        nchw=True,
        activation=ACTIVATIONS[op.options["activation"]],
        like=op.inputs[0] if kind == "MaxPool" else None,
        **_window(scope, op),
    )


def _window(scope: Scope, op: Operator) -> dict[str, object]:
    kernel, step = [op.options["height"], op.options["width"]], strides(op)
    if min(kernel) < 1:
        raise op.refuse(f"has a window of {kernel}")
    sizes = scope.tensor(op.inputs[0]).shape[1:3]
    return {"kernel_shape": kernel, "strides": step, **pads(op, sizes, kernel, step, (1, 1))}
