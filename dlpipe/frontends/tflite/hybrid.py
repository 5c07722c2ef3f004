"""Dynamic-range models: float data meets int8 weights. LiteRT quantises the data first, from its own range of the
moment; so does what is written here, because the difference is larger than any tolerance for float models.
"""

from __future__ import annotations

from .scope import Scope

LEAST = 1e-30  # instead of a range of zero: then all of the data is zero


def is_hybrid(scope: Scope, data: int, weights: int) -> bool:
    return scope.tensor(data).dtype == "float32" and scope.quantisation(weights) is not None


def rounded(scope: Scope, value: str, name: str, axes: list[int]) -> str:
    """`value` as it is after int8: a range for each index of the dims that are not in `axes`.

    scale = (max(x, 0) - min(x, 0)) / 255, the zero point such that min(x, 0) is -128.
    """
    name = f"{name}__range"
    zero, over = scope.const(0, f"{name}_zero", "float32"), scope.const(axes, f"{name}_axes", "int64")
    low = scope.node("Min", [scope.node("ReduceMin", [value, over], name, keepdims=1), zero], name)
    high = scope.node("Max", [scope.node("ReduceMax", [value, over], name, keepdims=1), zero], name)
    least = scope.const(LEAST, f"{name}_least", "float32")
    spread = scope.node("Max", [scope.node("Sub", [high, low], name), least], name)
    scale = scope.node("Div", [spread, scope.const(255, f"{name}_steps", "float32")], name)
    bottom, top = scope.const(-128, f"{name}_min", "float32"), scope.const(127, f"{name}_max", "float32")
    offset = scope.node("Round", [scope.node("Sub", [bottom, scope.node("Div", [low, scale], name)], name)], name)
    steps = scope.node("Add", [scope.node("Div", [value, scale], name), offset], name)
    held = scope.node("Clip", [scope.node("Round", [steps], name), bottom, top], name)
    return scope.node("Mul", [scope.node("Sub", [held, offset], name), scale], name)


def rounded_symmetric(scope: Scope, value: str, name: str, axes: list[int]) -> str:
    """The same with scale = max |x| / 127 and no zero point: what LiteRT's recurrent kernels do."""
    name = f"{name}__range"
    over, steps = scope.const(axes, f"{name}_axes", "int64"), scope.const(127, f"{name}_steps", "float32")
    most = scope.node("ReduceMax", [scope.node("Abs", [value], name), over], name, keepdims=1)
    most = scope.node("Max", [most, scope.const(LEAST, f"{name}_least", "float32")], name)
    scaled = scope.node("Mul", [value, scope.node("Div", [steps, most], name)], name)
    return scope.node("Mul", [scope.node("Round", [scaled], name), scope.node("Div", [most, steps], name)], name)
