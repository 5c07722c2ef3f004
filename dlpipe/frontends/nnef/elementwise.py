"""Operations on every element alone. NNEF aligns dims at the first one, ONNX at the last: see `Step.aligned`."""

from __future__ import annotations

import numpy as np

from .step import DTYPES, MOST_TENSORS, Step, Tensor, handles

_SAME = {
    "exp": "Exp", "log": "Log", "sin": "Sin", "cos": "Cos", "tan": "Tan", "sinh": "Sinh", "cosh": "Cosh",
    "tanh": "Tanh", "asin": "Asin", "acos": "Acos", "atan": "Atan", "asinh": "Asinh", "acosh": "Acosh",
    "atanh": "Atanh", "abs": "Abs", "sign": "Sign", "rcp": "Reciprocal", "neg": "Neg", "copy": "Identity",
    "floor": "Floor", "ceil": "Ceil", "sqrt": "Sqrt", "relu": "Relu", "sigmoid": "Sigmoid", "softplus": "Softplus",
    "not": "Not",
}  # fmt: skip
_PAIRS = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "lt": "Less", "gt": "Greater",
    "le": "LessOrEqual", "ge": "GreaterOrEqual", "eq": "Equal", "and": "And", "or": "Or", "min": "Min", "max": "Max",
}  # fmt: skip


@handles(*_SAME)
def _unary(step: Step) -> Tensor:
    return step.result(_SAME[step.op], [step.tensor("x")])


@handles(*_PAIRS)
def _binary(step: Step) -> Tensor:
    return step.result(_PAIRS[step.op], step.aligned(*step.pair("x", "y")))


@handles("ne")
def _ne(step: Step) -> Tensor:
    return step.result("Not", [step.emit("Equal", step.aligned(*step.pair("x", "y")))])


@handles("round")
def _round(step: Step) -> Tensor:
    """Halves away from zero; ONNX's Round takes them to the even number."""
    x = step.tensor("x")
    size = step.emit("Floor", [step.binary("Add", step.emit("Abs", [x]), 0.5)])
    return step.result("Mul", [step.emit("Sign", [x]), size])


@handles("sqr")
def _sqr(step: Step) -> Tensor:
    x = step.tensor("x")
    return step.result("Mul", [x, x])


@handles("rsqr")
def _rsqr(step: Step) -> Tensor:
    x = step.tensor("x")
    return step.result("Reciprocal", [step.emit("Mul", [x, x])])


@handles("rsqrt")
def _rsqrt(step: Step) -> Tensor:
    return step.result("Reciprocal", [step.emit("Sqrt", [step.tensor("x")])])


@handles("log2")
def _log2(step: Step) -> Tensor:
    x = step.tensor("x")
    return step.result("Div", [step.emit("Log", [x]), step.tensor(float(np.log(2.0)), x)])


@handles("select")
def _select(step: Step) -> Tensor:
    chosen = step.pair("true_value", "false_value")
    condition = step.args["condition"]
    if isinstance(condition, bool):
        return step.result("Identity", [chosen[0] if condition else chosen[1]])
    return step.result("Where", step.aligned(step.tensor("condition"), *chosen))


@handles("clamp")
def _clamp(step: Step) -> Tensor:
    x = step.tensor("x")
    x, low, high = step.aligned(x, step.tensor("a", x), step.tensor("b", x))
    return step.result("Max", [step.emit("Min", [x, high]), low])


@handles("gelu", "silu")
def _gated(step: Step) -> Tensor:
    """The standard's gelu is the one of a sigmoid, not of the error function."""
    x = step.tensor("x")
    inner = step.binary("Mul", x, 1.702) if step.op == "gelu" else x
    return step.result("Mul", [x, step.emit("Sigmoid", [inner])])


@handles("softabs")
def _softabs(step: Step) -> Tensor:
    x = step.tensor("x")
    return step.result("Sqrt", [step.binary("Add", step.emit("Mul", [x, x]), step.number("epsilon"))])


@handles("elu")
def _elu(step: Step) -> Tensor:
    return step.result("Elu", [step.tensor("x")], alpha=step.number("alpha"))


@handles("selu")
def _selu(step: Step) -> Tensor:
    return step.result("Selu", [step.tensor("x")], alpha=step.number("alpha"), gamma=step.number("lambda"))


@handles("leaky_relu", "prelu")
def _leaky(step: Step) -> Tensor:
    x, alpha = step.tensor("x"), step.args["alpha"]
    if isinstance(alpha, int | float):
        return step.result("LeakyRelu", [x], alpha=float(alpha))
    x, slope = step.aligned(x, step.tensor("alpha", x))
    return step.result("PRelu", [x, slope])


@handles("cast")
def _cast(step: Step) -> Tensor:
    wanted = DTYPES.get(step.dtype or "scalar")
    if wanted is None:
        step.fail(f"a cast to {step.dtype}", "unsupported")
    return step.result("Cast", [step.tensor("input")], to=_element(wanted))


@handles("add_n")
def _add_n(step: Step) -> Tensor:
    values = step.tensors("x")
    total = values[0]
    for each in values[1:-1]:
        total = step.emit("Add", step.aligned(total, each))
    return step.result("Add", step.aligned(total, values[-1])) if values[1:] else step.result("Identity", [total])


@handles("copy_n")
def _copy_n(step: Step) -> list[Tensor]:
    times = step.integer("times")
    if not 0 < times <= MOST_TENSORS:
        step.fail(f"{times} copies")
    return [step.tensor("x")] * times


def _element(dtype: type[np.generic]) -> int:
    return {np.float32: 1, np.int64: 7, np.bool_: 9}[dtype]
