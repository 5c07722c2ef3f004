"""Arithmetic, comparisons and activations, element by element."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch.nn import functional

from .table import Compute, Site, dtype, number, operator, together

_ONE: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sqrt": torch.sqrt,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Sign": torch.sign,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
    "Reciprocal": torch.reciprocal,
    "Erf": torch.erf,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tan": torch.tan,
    "Asin": torch.asin,
    "Acos": torch.acos,
    "Atan": torch.atan,
    "Sinh": torch.sinh,
    "Cosh": torch.cosh,
    "Softplus": lambda x: functional.softplus(x, threshold=88.0),
    "Softsign": functional.softsign,
    "HardSwish": functional.hardswish,
    "Mish": functional.mish,
    "Not": torch.logical_not,
    "IsNaN": torch.isnan,
}
_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Pow": lambda x, y: torch.pow(x, y).to(x.dtype),
    "Equal": torch.eq,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
    "PRelu": lambda x, slope: torch.where(x < 0, x * slope, x),
}
_MANY: dict[str, Callable[[Any, Any], Any]] = {
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Sum": torch.add,
    "Mean": torch.add,
}


@operator(*_ONE)
def one(site: Site) -> Compute:
    return _ONE[site.op]


@operator(*_TWO)
def two(site: Site) -> Compute:
    return _broadcasting(site, _TWO[site.op])


def _broadcasting(site: Site, function: Callable[[Any, Any], Any]) -> Compute:
    if site.opset < 7 and site.attr("broadcast"):
        site.refuse("broadcasting as operator sets before 7 have it")
    return lambda x, y: function(*together(x, y))


@operator("Div")
def div(site: Site) -> Compute:
    def compute(x: Any, y: Any) -> Any:
        return torch.div(x, y) if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")

    return _broadcasting(site, compute)


@operator("Mod")
def mod(site: Site) -> Compute:
    return _broadcasting(site, torch.fmod if site.attr("fmod", 0) else torch.remainder)


@operator("Max", "Min", "Sum", "Mean")
def many(site: Site) -> Compute:
    function, share = _MANY[site.op], len(site.node.inputs) if site.op == "Mean" else 1

    def compute(*args: Any) -> Any:
        total = reduce(function, together(*args))
        return total / share if share > 1 else total

    return compute


@operator("Clip")
def clip(site: Site) -> Compute:
    low, high = site.attr("min"), site.attr("max")

    def compute(x: Any, least: Any = None, most: Any = None) -> Any:
        least, most = (least, most) if site.opset >= 11 else (low, high)
        if least is not None:
            x = x.clamp_min(least if isinstance(least, float) else number(least))
        if most is not None:
            x = x.clamp_max(most if isinstance(most, float) else number(most))
        return x

    return compute


@operator("LeakyRelu")
def leaky_relu(site: Site) -> Compute:
    alpha = site.attr("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, alpha)


@operator("Elu")
def elu(site: Site) -> Compute:
    alpha = site.attr("alpha", 1.0)
    return lambda x: functional.elu(x, alpha)


@operator("Celu")
def celu(site: Site) -> Compute:
    alpha = site.attr("alpha", 1.0)
    return lambda x: functional.celu(x, alpha)


@operator("Selu")
def selu(site: Site) -> Compute:
    alpha, gamma = site.attr("alpha", 1.67326319217681884765625), site.attr("gamma", 1.05070102214813232421875)
    return lambda x: gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp_max(0)))


@operator("HardSigmoid")
def hard_sigmoid(site: Site) -> Compute:
    alpha, beta = site.attr("alpha", 0.2), site.attr("beta", 0.5)
    return lambda x: (alpha * x + beta).clamp(0, 1)


@operator("ThresholdedRelu")
def thresholded_relu(site: Site) -> Compute:
    alpha = site.attr("alpha", 1.0)
    return lambda x: torch.where(x > alpha, x, torch.zeros_like(x))


@operator("Gelu")
def gelu(site: Site) -> Compute:
    approximate = site.attr("approximate", "none")
    return lambda x: functional.gelu(x, approximate=approximate)


@operator("Swish")
def swish(site: Site) -> Compute:
    alpha = site.attr("alpha", 1.0)
    return lambda x: x * torch.sigmoid(alpha * x)


@operator("Softmax", "LogSoftmax")
def softmax(site: Site) -> Compute:
    function = torch.softmax if site.op == "Softmax" else torch.log_softmax
    if site.opset >= 13:
        axis = site.attr("axis", -1)
        return lambda x: function(x, axis)
    flat_from = site.attr("axis", 1)

    def compute(x: Any) -> Any:
        """Before set 13: over all axes from `axis` on, as one."""
        kept = x.shape[: flat_from % x.dim() if flat_from < 0 else flat_from]
        return function(x.reshape(*kept, -1), -1).reshape(x.shape)

    return compute


@operator("Where")
def where(_site: Site) -> Compute:
    return lambda chosen, x, y: torch.where(*together(chosen, x, y))


@operator("Cast")
def cast(site: Site) -> Compute:
    try:
        wanted = dtype(site.attr("to"))
    except KeyError:
        site.refuse(f"a cast to element type {site.attr('to')}")
    return lambda x: x.to(wanted)


@operator("CastLike")
def cast_like(_site: Site) -> Compute:
    return lambda x, like: x.to(like.dtype)


@operator("Dropout")
def dropout(site: Site) -> Compute:
    """As it is at inference: the identity. What is trained stays the network that is shipped."""
    if len(site.node.outputs) > 1:
        site.refuse("its mask, the second output")
    return lambda x, *_: x


@operator("Shrink")
def shrink(site: Site) -> Compute:
    bias, limit = site.attr("bias", 0.0), site.attr("lambd", 0.5)
    return lambda x: torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, torch.zeros_like(x)))


@operator("IsInf")
def is_inf(site: Site) -> Compute:
    positive, negative = site.attr("detect_positive", 1), site.attr("detect_negative", 1)
    return lambda x: ((x == math.inf) & bool(positive)) | ((x == -math.inf) & bool(negative))
