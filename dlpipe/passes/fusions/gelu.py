"""GELU, however it is written out."""

import math

import onnx_ir as ir

from .fusion import Fusion, Group
from .nonlinear import Formula, formula

_OPSET = 20
_CUBE = 0.044715  # of the approximation, in the paper


class FuseGelu(Fusion):
    """Recognise the Gaussian error linear unit.

        x -> Div(sqrt 2) -> Erf -> Add(1) -> Mul(x) -> Mul(0.5) -> y                        x -> Gelu -> y
        x -> Pow(3) -> Mul(.044715) -> Add(x) -> Mul(sqrt(2/pi)) -> Tanh -> Add(1)          x -> Gelu(tanh) -> y
          -> Mul(x) -> Mul(0.5) -> y

    In whatever order the arithmetic is written: it is compared as a polynomial. Requires opset 20. Ensures fewer
    nodes. Exact up to rounding, and to the digits with which the constants were written (a relative 1e-5).
    Source: Hendrycks and Gimpel 2016 (arXiv 1606.08415); the definition of Gelu in opset 20.
    """

    opsets = (_OPSET,)

    def find(self, last: ir.Node, opset: int) -> Group | None:
        found = formula(last, "Erf", "Tanh") if opset >= _OPSET else None
        if found is None or not found.is_({(1, 0): 0.5, (1, 1): 0.5}):
            return None
        if found.inner.op_type == "Erf" and found.argument_is({(1,): math.sqrt(0.5)}):
            return _gelu(found, "none")
        root = math.sqrt(2 / math.pi)
        if found.inner.op_type == "Tanh" and found.argument_is({(1,): root, (3,): root * _CUBE}):
            return _gelu(found, "tanh")
        return None


def _gelu(found: Formula, approximate: str) -> Group:
    return Group("Gelu", [found.x], found.nodes, {"approximate": approximate})
