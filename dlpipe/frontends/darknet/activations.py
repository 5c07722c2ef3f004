"""Darknet's activations (activations.h of the public source)."""

from __future__ import annotations

from .step import Step

_PLAIN: dict[str, tuple[str, dict[str, float]]] = {
    "logistic": ("Sigmoid", {}),
    "relu": ("Relu", {}),
    "leaky": ("LeakyRelu", {"alpha": 0.1}),
    "relie": ("LeakyRelu", {"alpha": 0.01}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": 1.6732, "gamma": 1.0507}),
    "mish": ("Mish", {}),
}
_BOUNDS = {"relu6": (0, 6), "hardtan": (-1, 1)}
NAMES = {"linear", "swish", "loggy", "ramp", *_PLAIN, *_BOUNDS}


def activate(step: Step, value: str, name: str) -> str:
    """Raises Refused for an activation that is not known."""
    if name == "linear":
        return value
    if name in _PLAIN:
        op, attributes = _PLAIN[name]
        return step.node(op, [value], **attributes)
    if name in _BOUNDS:
        low, high = _BOUNDS[name]
        return step.node("Clip", [value, step.number(low, "low"), step.number(high, "high")])
    if name == "swish":
        return step.node("Mul", [value, step.node("Sigmoid", [value])])
    if name == "loggy":  # 2 / (1 + exp(-x)) - 1
        return step.node("Tanh", [step.node("Mul", [value, step.number(0.5, "half")])])
    if name == "ramp":  # x where positive, and a tenth of x everywhere
        tenth = step.node("Mul", [value, step.number(0.1, "tenth")])
        return step.node("Add", [step.node("Relu", [value]), tenth])
    return step.fail(f"the activation {name[:40]!r} is not converted", "unsupported")
