"""Operators that weigh a number against its neighbours."""

from __future__ import annotations

from .handlers import handles
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import Scope

_EPSILON = 1e-6  # of L2_NORMALIZATION: below it, the squares' sum counts as this


@handles("SOFTMAX")
def softmax(scope: Scope, op: Operator) -> None:
    """Over the last dim; beta multiplies the exponents."""
    nchw = scope.prefers_nchw(op.inputs[0])
    x, beta = scope.real(op.inputs[0], nchw), float(op.options["beta"])
    if beta != 1:
        x = scope.node("Mul", [x, scope.const(beta, "beta", "float32")], scope.name(op.outputs[0]))
    scope.result(op.outputs[0], "Softmax", [x], real=True, nchw=nchw, axis=1 if nchw else -1)


@handles("LOG_SOFTMAX")
def log_softmax(scope: Scope, op: Operator) -> None:
    scope.result(op.outputs[0], "LogSoftmax", [scope.real(op.inputs[0])], real=True, axis=-1)


@handles("L2_NORMALIZATION")
def l2_normalization(scope: Scope, op: Operator) -> None:
    """Over the last dim."""
    x, name = scope.real(op.inputs[0]), scope.name(op.outputs[0])
    axes = scope.const([-1], f"{name}__axes", "int64")
    squares = scope.node("ReduceSumSquare", [x, axes], name, keepdims=1)
    length = scope.node(
        "Sqrt", [scope.node("Max", [squares, scope.const(_EPSILON, f"{name}__least", "float32")], name)], name
    )
    activation = ACTIVATIONS[op.options["activation"]]
    scope.result(op.outputs[0], "Div", [x, length], real=True, activation=activation)


@handles("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(scope: Scope, op: Operator) -> None:
    """ONNX divides alpha by the number of neighbours, TFLite does not."""
    size = 2 * op.options["radius"] + 1
    scope.result(
        op.outputs[0],
        "LRN",
        [scope.real(op.inputs[0], True)],
        real=True,
        nchw=True,
        size=size,
        alpha=float(op.options["alpha"]) * size,
        beta=float(op.options["beta"]),
        bias=float(op.options["bias"]),
    )
