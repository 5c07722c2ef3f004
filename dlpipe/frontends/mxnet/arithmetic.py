"""Arithmetic, element by element: of one tensor, of a tensor and a number, of two tensors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net

_PLAIN = {
    "abs": "Abs",
    "arccos": "Acos",
    "arccosh": "Acosh",
    "arcsin": "Asin",
    "arcsinh": "Asinh",
    "arctan": "Atan",
    "arctanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "log": "Log",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "softsign": "Softsign",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
}
Two = Callable[[Net, str, str], str]


def _sparse(*names: str) -> list[str]:
    return [each for name in names for each in (name, f"_sparse_{name}")]


@handles(*_sparse(*(name for name in _PLAIN if name != "erf" and name != "reciprocal" and name != "softsign")))
@handles("erf", "reciprocal", "softsign", "_npx_relu", "_npx_sigmoid", "_npi_tanh", "_npi_exp", "_npi_sqrt")
def plain(net: Net, layer: Layer) -> str:
    return net.add(_PLAIN[layer.op.removeprefix("_sparse_").removeprefix("_npx_").removeprefix("_npi_")], *layer.inputs)


def _number(net: Net, op: str, value: str, number: float, first: bool = False) -> str:
    other = net.like(number, value)
    return net.add(op, other, value) if first else net.add(op, value, other)


def _truncated(net: Net, value: str) -> str:
    return net.add("Mul", net.add("Sign", value), net.add("Floor", net.add("Abs", value)))


def _rounded(net: Net, value: str) -> str:
    """Half away from zero, where ONNX's Round goes to the even one."""
    half = _number(net, "Add", net.add("Abs", value), 0.5)
    return net.add("Mul", net.add("Sign", value), net.add("Floor", half))


def _root3(net: Net, value: str) -> str:
    root = _number(net, "Pow", net.add("Abs", value), 1 / 3)
    return net.add("Mul", net.add("Sign", value), root)


_COMPOSED: dict[str, Callable[[Net, str], str]] = {
    "square": lambda net, x: net.add("Mul", x, x),
    "rsqrt": lambda net, x: net.add("Reciprocal", net.add("Sqrt", x)),
    "cbrt": _root3,
    "rcbrt": lambda net, x: net.add("Reciprocal", _root3(net, x)),
    "expm1": lambda net, x: _number(net, "Sub", net.add("Exp", x), 1.0),
    "log1p": lambda net, x: net.add("Log", _number(net, "Add", x, 1.0)),
    "log10": lambda net, x: _number(net, "Mul", net.add("Log", x), 1 / math.log(10)),
    "log2": lambda net, x: _number(net, "Mul", net.add("Log", x), 1 / math.log(2)),
    "degrees": lambda net, x: _number(net, "Mul", x, 180 / math.pi),
    "radians": lambda net, x: _number(net, "Mul", x, math.pi / 180),
    "fix": _truncated,
    "trunc": _truncated,
    "round": _rounded,
    "rint": lambda net, x: net.add("Ceil", _number(net, "Sub", x, 0.5)),  # half goes down
    "logical_not": lambda net, x: net.cast(_number(net, "Equal", x, 0), net.dtype(x)),
    "zeros_like": lambda net, x: net.add("Mul", x, net.like(0, x)),
    "ones_like": lambda net, x: net.cast(net.add("Equal", x, x), net.dtype(x)),
    "_contrib_div_sqrt_dim": lambda net, x: _number(net, "Div", x, math.sqrt(net.size(x, -1))),
}


@handles(
    *_COMPOSED,
    *(
        f"_sparse_{name}"
        for name in _COMPOSED
        if name[0] != "_" and name not in ("rcbrt", "log", "logical_not", "ones_like")
    ),
)
def composed(net: Net, layer: Layer) -> str:
    return _COMPOSED[layer.op.removeprefix("_sparse_")](net, layer.inputs[0])


def _modulo(net: Net, left: str, right: str) -> str:
    """The sign follows the divisor; by zero it is zero."""
    quotient = net.add("Div", left, right)
    if np.issubdtype(net.dtype(left), np.integer):
        raise Refused("modulo of whole numbers is not supported", kind="unsupported")
    found = net.add("Sub", left, net.add("Mul", net.add("Floor", quotient), right))
    zero = net.like(0, right)
    return net.add("Where", net.add("Equal", right, zero), zero, found)


def _hypot(net: Net, left: str, right: str) -> str:
    return net.add("Sqrt", net.add("Add", net.add("Mul", left, left), net.add("Mul", right, right)))


def _simple(op: str) -> Two:
    return lambda net, left, right: net.add(op, left, right)


def _compare(op: str) -> Two:
    """MXNet answers with numbers of the operands' type."""
    return lambda net, left, right: net.cast(net.add(op, left, right), net.dtype(left))


def _not_equal(net: Net, left: str, right: str) -> str:
    return net.cast(net.add("Not", net.add("Equal", left, right)), net.dtype(left))


def _logic(op: str) -> Two:
    return lambda net, left, right: net.cast(
        net.add(op, net.cast(left, np.bool_), net.cast(right, np.bool_)), net.dtype(left)
    )


_TWO: dict[str, Two] = {
    "add": _simple("Add"),
    "sub": _simple("Sub"),
    "mul": _simple("Mul"),
    "div": _simple("Div"),
    "power": _simple("Pow"),
    "maximum": _simple("Max"),
    "minimum": _simple("Min"),
    "mod": _modulo,
    "hypot": _hypot,
    "equal": _compare("Equal"),
    "not_equal": _not_equal,
    "greater": _compare("Greater"),
    "greater_equal": _compare("GreaterOrEqual"),
    "lesser": _compare("Less"),
    "lesser_equal": _compare("LessOrEqual"),
    "logical_and": _logic("And"),
    "logical_or": _logic("Or"),
    "logical_xor": _logic("Xor"),
}
_OLD = {  # CamelCase names of the first versions
    "Plus": "add",
    "Minus": "sub",
    "Mul": "mul",
    "Div": "div",
    "Power": "power",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Mod": "mod",
    "Hypot": "hypot",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Lesser": "lesser",
    "LesserEqual": "lesser_equal",
    "LogicalAnd": "logical_and",
    "LogicalOr": "logical_or",
    "LogicalXor": "logical_xor",
}
_WORDS = {"add": ("add", "plus"), "sub": ("sub", "minus")}


def _two_names() -> dict[str, Two]:
    names: dict[str, Two] = {}
    for word, made in _TWO.items():
        for each in _WORDS.get(word, (word,)):
            names[f"_{each}"] = names[f"broadcast_{each}"] = made
    for word in ("add", "sub", "mul", "div"):
        names[f"elemwise_{word}"] = names[f"_sparse_elemwise_{word}"] = names[f"_sparse_broadcast_{word}"] = _TWO[word]
    names["_grad_add"] = names["_sparse_broadcast_plus"] = _TWO["add"]
    names["_sparse_broadcast_minus"] = _TWO["sub"]
    for old, word in _OLD.items():
        names["_" + {"Not_Equal": "Not_Equal"}.get(old, old)] = _TWO[word]
    for old, word in {
        "_Not_Equal": "not_equal",
        "_Greater_Equal": "greater_equal",
        "_Lesser_Equal": "lesser_equal",
        "_Logical_And": "logical_and",
        "_Logical_Or": "logical_or",
        "_Logical_Xor": "logical_xor",
    }.items():
        names[old] = _TWO[word]
    for camel in ("_GreaterEqual", "_LesserEqual", "_LogicalAnd", "_LogicalOr", "_LogicalXor"):
        del names[camel]  # exists with a number only
    return names


_TWO_NAMES = _two_names()


@handles(*_TWO_NAMES)
def two(net: Net, layer: Layer) -> str:
    left, right = layer.inputs
    return _TWO_NAMES[layer.op](net, left, right)


def _number_names() -> dict[str, tuple[Two, bool]]:
    """Name -> (what, whether the number stands first)."""
    names: dict[str, tuple[Two, bool]] = {}
    for word, made in _TWO.items():
        for each in ("plus",) if word == "add" else ("minus",) if word == "sub" else (word,):
            names[f"_{each}_scalar"] = (made, False)
    for word, made in {"minus": _TWO["sub"], "div": _TWO["div"], "power": _TWO["power"], "mod": _TWO["mod"]}.items():
        names[f"_r{word}_scalar"] = (made, True)
    for old, word in _OLD.items():
        names[f"_{old}Scalar"] = (_TWO[word], False)
    for old in ("Minus", "Div", "Power", "Mod"):
        names[f"_R{old}Scalar"] = (_TWO[_OLD[old]], True)
    names["_NotEqualScalar"] = (_TWO["not_equal"], False)
    return names


_NUMBER_NAMES = _number_names()


@handles(*_NUMBER_NAMES)
def with_number(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    a.ignore("is_int")
    number = a.real("scalar", 1.0)
    if np.issubdtype(net.dtype(data), np.integer) and number != int(number):
        raise Refused(f"{layer.op} of whole numbers with {number} is not supported", kind="unsupported")
    made, first = _NUMBER_NAMES[layer.op]
    other = net.like(number, data)
    return made(net, other, data) if first else made(net, data, other)


@handles("add_n", "ElementWiseSum", "_sparse_add_n", "_sparse_ElementWiseSum")
def add_all(net: Net, layer: Layer) -> str:
    layer.attributes.ignore("num_args")
    return net.add("Sum", *layer.inputs)


@handles("clip", "_sparse_clip")
def clip(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    return net.add("Clip", data, net.like(a.real("a_min"), data), net.like(a.real("a_max"), data))


@handles("smooth_l1")
def smooth_l1(net: Net, layer: Layer) -> str:
    """(s x)^2 / 2 where |x| < 1 / s^2, else |x| - 1 / (2 s^2)."""
    data, squared = layer.inputs[0], layer.attributes.real("scalar", 1.0) ** 2
    layer.attributes.ignore("is_int")
    size = net.add("Abs", data)
    inside = _number(net, "Mul", net.add("Mul", data, data), squared / 2)
    outside = _number(net, "Sub", size, 0.5 / squared)
    return net.add("Where", _number(net, "Less", size, 1 / squared), inside, outside)


@handles("_contrib_quadratic")
def quadratic(net: Net, layer: Layer) -> str:
    data, a = layer.inputs[0], layer.attributes
    inner = _number(net, "Add", _number(net, "Mul", data, a.real("a", 0.0)), a.real("b", 0.0))
    return _number(net, "Add", net.add("Mul", inner, data), a.real("c", 0.0))


@handles("Cast", "cast", "amp_cast")
def cast(net: Net, layer: Layer) -> str:
    dtype = layer.attributes.text("dtype")
    if dtype not in ("float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"):
        raise Refused(f"type {dtype!r} is not supported", kind="unsupported")
    return net.cast(layer.inputs[0], dtype)


@handles("amp_multicast")
def cast_all(net: Net, layer: Layer) -> list[str]:
    """All to the widest type among them, or the narrowest."""
    layer.attributes.ignore("num_outputs")
    narrow = layer.attributes.flag("cast_narrow")
    types = sorted((net.dtype(value) for value in layer.inputs), key=lambda dtype: dtype.itemsize)
    return [net.cast(value, types[0 if narrow else -1]) for value in layer.inputs]
