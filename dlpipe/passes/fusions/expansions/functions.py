"""GELU and Swish."""

import math

import onnx_ir as ir

from .writing import Writer, given

_CUBE = 0.044715  # of GELU's approximation


def gelu(node: ir.Node, opset: int) -> ir.Value:
    """x * 0.5 * (1 + erf(x / sqrt 2)), or its approximation."""
    del opset
    x, to = given(node, 0), Writer(node)
    if node.attributes.get_string("approximate", "none") == "tanh":
        cube = to.op("Mul", to.op("Mul", to.op("Mul", x, x), x), to.weight(_CUBE, x))
        inner = to.op("Tanh", to.op("Mul", to.op("Add", x, cube), to.weight(math.sqrt(2 / math.pi), x)))
    else:
        inner = to.op("Erf", to.op("Mul", x, to.weight(math.sqrt(0.5), x)))
    return to.op("Mul", to.op("Mul", x, to.weight(0.5, x)), to.op("Add", inner, to.weight(1.0, x)))


def swish(node: ir.Node, opset: int) -> ir.Value:
    """x * sigmoid(alpha * x)."""
    del opset
    x, to = given(node, 0), Writer(node)
    alpha = node.attributes.get_float("alpha", 1.0)
    return to.op("Mul", x, to.op("Sigmoid", x if alpha == 1.0 else to.op("Mul", x, to.weight(alpha, x))))
