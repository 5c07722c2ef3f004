"""Theano's Elemwise: its scalar operators in ONNX. Inputs are cast to one type first, as Theano does."""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import pickled_graph as pickled

# Scalar operator -> ONNX operator, for any number of inputs.
_SAME = {"Add": "Add", "Mul": "Mul", "Sub": "Sub", "TrueDiv": "Div", "Pow": "Pow", "Neg": "Neg", "Abs": "Abs"}
_SAME |= {"Exp": "Exp", "Log": "Log", "Sqrt": "Sqrt", "Tanh": "Tanh", "Sin": "Sin", "Cos": "Cos", "Tan": "Tan"}
_SAME |= {"ScalarSigmoid": "Sigmoid", "UltraFastScalarSigmoid": "", "ScalarSoftplus": "Softplus", "Erf": "Erf"}
_SAME |= {"Floor": "Floor", "Ceil": "Ceil", "RoundHalfToEven": "Round", "Sgn": "Sign", "Inv": "Reciprocal"}
_SAME |= {"Maximum": "Max", "ScalarMaximum": "Max", "Minimum": "Min", "ScalarMinimum": "Min", "Identity": "Identity"}
_SAME |= {"ArcSin": "Asin", "ArcCos": "Acos", "ArcTan": "Atan", "Sinh": "Sinh", "Cosh": "Cosh", "ArcTanh": "Atanh"}
_COMPARES = {"LT": "Less", "GT": "Greater", "LE": "LessOrEqual", "GE": "GreaterOrEqual", "EQ": "Equal", "NEQ": "Equal"}
_LOGIC = {"AND": "And", "OR": "Or", "XOR": "Xor", "Invert": "Not"}
_PAIRWISE = frozenset({"Add", "Mul"})


def elementwise(walk: Any, op: Any, inputs: list[Any], outputs: list[Any], name: str) -> list[str]:
    scalar = pickled.class_of(op["scalar_op"])
    want = pickled.dtype_of(outputs[0])
    have = [pickled.dtype_of(each) for each in inputs]
    values = [walk.name(each) for each in inputs]

    def cast(types: list[str], to: str) -> list[str]:
        return [walk.cast(value, each, to, name) for value, each in zip(values, types, strict=True)]

    if scalar == "Cast":
        return [walk.cast(values[0], have[0], want, name)]
    if scalar == "Second":  # the second input, in the shape of the first
        shape = walk.add("Shape", [values[0]], f"{name}/Shape")
        return [walk.add("Expand", [walk.cast(values[1], have[1], want, name), shape], name)]
    if scalar == "Switch":
        condition = walk.cast(values[0], have[0], "bool", name)
        both = [walk.cast(value, each, want, name) for value, each in zip(values[1:], have[1:], strict=True)]
        return [walk.add("Where", [condition, *both], name)]
    if scalar in _COMPARES:
        common = str(np.result_type(*have))
        made = walk.add(_COMPARES[scalar], cast(have, common), name)
        made = walk.add("Not", [made], f"{name}/Not") if scalar == "NEQ" else made
        return [walk.cast(made, "bool", want, name)]
    if scalar in _LOGIC and want == "bool":
        return [walk.add(_LOGIC[scalar], cast(have, "bool"), name)]
    values = cast(have, want)
    if scalar in ("Sqr", "Log1p", "Expm1", "Log2", "Log10", "IntDiv", "Mod", "Clip", "Erfc", "Composite"):
        return [_composed(walk, scalar, values, want, name)]
    found = _SAME.get(scalar)
    if not found:
        raise Refused(
            f"the elementwise operator {scalar} (node {name}) is not covered", kind="unsupported", node=name, op=scalar
        )
    if found in _PAIRWISE:
        made = values[0]
        for other in values[1:]:
            made = walk.add(found, [made, other], name)
        return [made if len(values) > 1 else walk.add("Identity", values, name)]
    return [walk.add(found, values, name)]


def _composed(walk: Any, scalar: str, values: list[str], dtype: str, name: str) -> str:
    def number(value: float) -> str:
        return str(walk.graph.constant(np.array(value, dtype), f"{name}/{value}"))

    first = values[0]
    if scalar == "Sqr":
        return str(walk.add("Mul", [first, first], name))
    if scalar == "Log1p":
        return str(walk.add("Log", [walk.add("Add", [first, number(1)], f"{name}/Add")], name))
    if scalar == "Expm1":
        return str(walk.add("Sub", [walk.add("Exp", [first], f"{name}/Exp"), number(1)], name))
    if scalar == "Erfc":
        return str(walk.add("Sub", [number(1), walk.add("Erf", [first], f"{name}/Erf")], name))
    if scalar in ("Log2", "Log10"):
        base = number(float(np.log(2 if scalar == "Log2" else 10)))
        return str(walk.add("Div", [walk.add("Log", [first], f"{name}/Log"), base], name))
    if scalar == "Clip":
        above = walk.add("Max", [first, values[1]], f"{name}/Max")
        return str(walk.add("Min", [above, values[2]], name))
    if scalar in ("IntDiv", "Mod") and np.dtype(dtype).kind in "iu":
        return _whole(walk, scalar, values, name)
    raise Refused(
        f"the elementwise operator {scalar} (node {name}) on {dtype} is not covered",
        kind="unsupported",
        node=name,
        op=scalar,
    )


def _whole(walk: Any, scalar: str, values: list[str], name: str) -> str:
    """Division of whole numbers that rounds down, as Python's; ONNX's Mod takes the divisor's sign, too."""
    rest = walk.add("Mod", values, f"{name}/Mod", fmod=0)
    if scalar == "Mod":
        return str(rest)
    return str(walk.add("Div", [walk.add("Sub", [values[0], rest], f"{name}/Sub"), values[1]], name))
