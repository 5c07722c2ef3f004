"""Between real and stored numbers."""

from __future__ import annotations

from .handlers import handles
from .reading import Operator
from .scope import Scope

_FLOAT = 1


@handles("QUANTIZE")
def quantize(scope: Scope, op: Operator) -> None:
    """From float, or from one quantisation to another."""
    nchw = scope.prefers_nchw(op.inputs[0])
    if scope.quantisation(op.outputs[0]) is None:
        raise op.refuse("gives a tensor without a scale")
    scope.result(op.outputs[0], "Identity", [scope.real(op.inputs[0], nchw)], real=True, nchw=nchw)


@handles("DEQUANTIZE")
def dequantize(scope: Scope, op: Operator) -> None:
    nchw = scope.prefers_nchw(op.inputs[0])
    if scope.tensor(op.inputs[0]).dtype == "float16":
        scope.result(op.outputs[0], "Cast", [scope.stored(op.inputs[0], nchw)], nchw=nchw, to=_FLOAT)
        return
    if scope.quantisation(op.inputs[0]) is None:
        raise op.refuse("takes a tensor without a scale")
    scope.result(op.outputs[0], "Identity", [scope.real(op.inputs[0], nchw)], nchw=nchw)


@handles("DENSIFY")
def densify(scope: Scope, op: Operator) -> None:
    """Sparse weights are filled up with zeros as they are read."""
    scope.result(op.outputs[0], "Identity", [scope.stored(op.inputs[0])])


@handles("FAKE_QUANT")
def fake_quant(scope: Scope, op: Operator) -> None:
    """Rounded to 2^bits steps between min and max, which are first moved so that zero is one of them."""
    least, most = float(op.options["min"]), float(op.options["max"])
    low, high = int(op.options["narrow"]), 2 ** int(op.options["bits"]) - 1
    if not least < most or not 2 <= op.options["bits"] <= 16:
        raise op.refuse(f"has the range {least} to {most} in {op.options['bits']} bits")
    scale = (most - least) / (high - low)
    zero = min(max(round(low - least / scale), low), high)
    name = scope.name(op.outputs[0])
    x = scope.node("Div", [scope.real(op.inputs[0]), scope.const(scale, f"{name}__scale", "float32")], name)
    bounds = [scope.const(float(each - zero), f"{name}__bound", "float32") for each in (low, high)]
    steps = scope.node("Round", [scope.node("Clip", [x, *bounds], name)], name)
    scope.result(op.outputs[0], "Mul", [steps, scope.const(scale, f"{name}__scale", "float32")])
