"""Operators on each element alone, and along axes: loops that are written out."""

from collections.abc import Callable, Sequence
from math import erf
from typing import Any

import numpy as np

from ..tflite.graph import Array, Op, Tensor
from .layers import given, limits, quant
from .writing import TYPES, Writer, emits, number, strides


def spread(shape: Sequence[int], onto: Sequence[int]) -> list[int]:
    """Steps of a tensor that is broadcast: 0 along what it repeats."""
    missing = len(onto) - len(shape)
    return [0] * missing + [0 if dim == 1 else step for dim, step in zip(shape, strides(shape), strict=True)]


def over(w: Writer, op: Op, inputs: Sequence[Tensor], text: Callable[..., str]) -> None:
    """A statement for each element of the output: text(y, *inputs)."""
    y = op.outputs[0]
    operands = [(w.pointer(y), strides(y.shape), 0)]
    operands += [(w.pointer(each), spread(each.shape, y.shape), 0) for each in inputs]
    w.loops(y.shape, operands, text)


def _logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# kind -> (what it computes, for the table of an 8-bit one; the C of a float one, from Writer and element)
_UNARY: dict[str, tuple[Callable[[Array], Any], Callable[[Writer, str], str]]] = {
    "RELU": (lambda x: np.maximum(x, 0), lambda _, x: f"{x} > 0.0f ? {x} : 0.0f"),
    "RELU6": (lambda x: np.clip(x, 0, 6), lambda _, x: f"{x} < 0.0f ? 0.0f : {x} > 6.0f ? 6.0f : {x}"),
    "RELU_N1_TO_1": (lambda x: np.clip(x, -1, 1), lambda _, x: f"{x} < -1.0f ? -1.0f : {x} > 1.0f ? 1.0f : {x}"),
    "LOGISTIC": (_logistic, lambda w, x: f"1.0f / (1.0f + {w.call('expf')}(-{x}))"),
    "TANH": (np.tanh, lambda w, x: f"{w.kernel('tanh') and 'tangent'}({x})"),
    "EXP": (np.exp, lambda w, x: f"{w.call('expf')}({x})"),
    "LOG": (np.log, lambda w, x: f"{w.call('logf')}({x})"),
    "SQRT": (np.sqrt, lambda w, x: f"{w.call('sqrtf')}({x})"),
    "RSQRT": (lambda x: 1 / np.sqrt(x), lambda w, x: f"1.0f / {w.call('sqrtf')}({x})"),
    "NEG": (np.negative, lambda _, x: f"-{x}"),
    "ABS": (np.abs, lambda _, x: f"{x} < 0 ? -{x} : {x}"),
    "FLOOR": (np.floor, lambda w, x: f"{w.call('floorf')}({x})"),
    "CEIL": (np.ceil, lambda w, x: f"{w.call('ceilf')}({x})"),
    "SIN": (np.sin, lambda w, x: f"{w.call('sinf')}({x})"),
    "COS": (np.cos, lambda w, x: f"{w.call('cosf')}({x})"),
    "SIGN": (np.sign, lambda _, x: f"{x} > 0.0f ? 1.0f : {x} < 0.0f ? -1.0f : 0.0f"),
    "ELU": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda w, x: f"{x} > 0.0f ? {x} : {w.call('expf')}({x}) - 1.0f"),
    "HARD_SWISH": (
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda _, x: f"{x} * ({x} < -3.0f ? 0.0f : {x} > 3.0f ? 6.0f : {x} + 3.0f) / 6.0f",
    ),
    "GELU": (
        lambda x: x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2))),
        lambda w, x: f"0.5f * {x} * (1.0f + {w.kernel('erf') and 'error_function'}({x} * 0.707106781f))",
    ),
}


_GELU_BY_TANH: tuple[Callable[[Array], Any], Callable[[Writer, str], str]] = (
    lambda x: 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))),
    lambda w, x: (
        f"0.5f * {x} * (1.0f + {w.kernel('tanh') and 'tangent'}(0.797884561f * ({x} + 0.044715f * {x} * {x} * {x})))"
    ),
)


@emits(*_UNARY)
def _unary(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    exact, text = _UNARY[op.kind]
    if op.kind == "GELU" and op.options.get("approximate"):
        exact, text = _GELU_BY_TANH
    if y.dtype == "int8":
        by_table(w, op, exact(levels(x)))
    elif x.dtype in ("int32", "int64") and op.kind not in ("ABS", "NEG"):
        raise op_refused(op, "of integers")
    else:
        over(w, op, [x], lambda out, each: f"{out} = {text(w, each)};")


@emits("ROUND")
def _round(w: Writer, op: Op) -> None:
    """Halves to even; from 2**22 on a float has no halves."""
    big = "4194304.0f"
    text = "{0} = {1} < " + big + " && {1} > -" + big + " ? ({1} + 12582912.0f) - 12582912.0f : {1};"
    over(w, op, [given(op, 0)], text.format)


@emits("LEAKY_RELU")
def _leaky(w: Writer, op: Op) -> None:
    alpha = float(op.options.get("alpha", 0.0))
    if op.outputs[0].dtype == "int8":
        x = levels(given(op, 0))
        by_table(w, op, np.where(x > 0, x, alpha * x))
        return
    over(w, op, [given(op, 0)], lambda y, x: f"{y} = {x} > 0.0f ? {x} : {number(alpha)} * {x};")


class OperatorRefused(Exception):
    """An operator that no C is written for; the worker says it with the model's names."""


def op_refused(op: Op, why: str) -> OperatorRefused:
    return OperatorRefused(f"{op.kind} {why} (for {op.outputs[0].name!r}) has no C here")


def levels(tensor: Tensor) -> Array:
    """What its 256 levels stand for, from -128 on."""
    found: Array = (np.arange(-128, 128) - quant(tensor).zero[0]) * quant(tensor).scale[0]
    return found


def by_table(w: Writer, op: Op, values: Array) -> None:
    """8 bits in, 8 bits out: the answer for each of 256 levels."""
    y = op.outputs[0]
    rounded = np.rint(values / quant(y).scale[0]) + quant(y).zero[0]
    table = w.table(np.clip(rounded, -128, 127), "int8")
    over(w, op, [given(op, 0)], lambda out, x: f"{out} = {table}[{x} + 128];")


@emits("QUANTIZE")
def _quantize(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    if y.dtype != "int8" or x.dtype not in ("int8", "uint8", "float32"):
        raise op_refused(op, f"from {x.dtype} to {y.dtype}")
    if x.dtype == "int8":
        by_table(w, op, levels(x))
        return
    w.kernel("level")
    zero, step = quant(y).zero[0], number(1 / quant(y).scale[0])
    value = "(float)({0} - {1}) * {2}"
    if x.dtype == "uint8":
        factor = number(quant(x).scale[0] / quant(y).scale[0])
        over(
            w,
            op,
            [x],
            lambda out, each: f"{out} = level({value.format(each, quant(x).zero[0], factor)}, {zero}, -128, 127);",
        )
    else:
        over(w, op, [x], lambda out, each: f"{out} = level({each} * {step}, {zero}, -128, 127);")


@emits("DEQUANTIZE")
def _dequantize(w: Writer, op: Op) -> None:
    x = given(op, 0)
    if x.dtype == "float16" or len(quant(x).scale) > 1:
        raise op_refused(op, "of stored weights")
    scale, zero = number(quant(x).scale[0]), quant(x).zero[0]
    over(w, op, [x], lambda y, each: f"{y} = (float)({each} - {zero}) * {scale};")


_BINARY = {
    "ADD": "{0} + {1}", "SUB": "{0} - {1}", "MUL": "{0} * {1}", "DIV": "{0} / {1}",
    "MINIMUM": "{0} < {1} ? {0} : {1}", "MAXIMUM": "{0} > {1} ? {0} : {1}",
    "SQUARED_DIFFERENCE": "({0} - {1}) * ({0} - {1})", "PRELU": "{0} > 0.0f ? {0} : {0} * {1}",
    "EQUAL": "{0} == {1}", "NOT_EQUAL": "{0} != {1}", "LESS": "{0} < {1}", "LESS_EQUAL": "{0} <= {1}",
    "GREATER": "{0} > {1}", "GREATER_EQUAL": "{0} >= {1}", "LOGICAL_AND": "{0} && {1}", "LOGICAL_OR": "{0} || {1}",
    "FLOOR_MOD": "({0} % {1} + {1}) % {1}",
}  # fmt: skip


@emits(*_BINARY)
def _binary(w: Writer, op: Op) -> None:
    a, b, y = given(op, 0), given(op, 1), op.outputs[0]
    low, high = limits(op)
    if y.dtype == "int8":
        if op.kind not in ("ADD", "SUB", "MUL"):
            raise op_refused(op, "in 8 bits")
        w.kernel("level")
        first, second = (quant(each).scale[0] for each in (a, b))
        step = quant(y).scale[0]
        x = f"({{1}} - {quant(a).zero[0]})", f"({{2}} - {quant(b).zero[0]})"
        if op.kind == "MUL":
            value = f"(float)({x[0]} * {x[1]}) * {number(first * second / step)}"
        else:
            sign = "+" if op.kind == "ADD" else "-"
            value = f"(float){x[0]} * {number(first / step)} {sign} (float){x[1]} * {number(second / step)}"
        over(w, op, [a, b], f"{{0}} = level({value}, {quant(y).zero[0]}, {low}, {high});".format)
        return
    text = _BINARY[op.kind]
    if op.options.get("fusedActivationFunction", 0):
        value = text.format("{1}", "{2}")
        kept = f"{{{{ const float v = {value}; {{0}} = v < {low} ? {low} : v > {high} ? {high} : v; }}}}"
        over(w, op, [a, b], kept.format)
        return
    over(w, op, [a, b], lambda out, *operands: f"{out} = {text.format(*operands)};")


@emits("LOGICAL_NOT")
def _not(w: Writer, op: Op) -> None:
    over(w, op, [given(op, 0)], "{0} = !{1};".format)


@emits("CAST")
def _cast(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    if not {x.dtype, y.dtype} <= set(TYPES):
        raise op_refused(op, f"from {x.dtype} to {y.dtype}")
    over(w, op, [x], f"{{0}} = ({TYPES[y.dtype]}){{1}};".format)


@emits("SELECT_V2")
def _select(w: Writer, op: Op) -> None:
    over(w, op, [given(op, index) for index in range(3)], "{0} = {1} ? {2} : {3};".format)


_REDUCING = {
    "SUM": ("0.0f", "v += {x}"), "MEAN": ("0.0f", "v += {x}"), "REDUCE_PROD": ("1.0f", "v *= {x}"),
    "REDUCE_MAX": ("-1.0f / 0.0f", "v = {x} > v ? {x} : v"), "REDUCE_MIN": ("1.0f / 0.0f", "v = {x} < v ? {x} : v"),
}  # fmt: skip


@emits(*_REDUCING)
def _reduce(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    data = given(op, 1).data
    assert data is not None
    axes = sorted(int(axis) % len(x.shape) for axis in data.reshape(-1))
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    count = int(np.prod([x.shape[axis] for axis in axes]))
    start, step = _REDUCING[op.kind]
    after = "v"
    if op.kind == "MEAN":
        after = f"v / {number(count)}"
    kind = "float"
    if y.dtype == "int8":
        kind = "int32_t"
        start = {"MEAN": "0", "REDUCE_MAX": "-128", "REDUCE_MIN": "127"}.get(op.kind, "")
        if not start:
            raise op_refused(op, "in 8 bits")
        if op.kind == "MEAN":
            w.kernel("level")
            factor = number(quant(x).scale[0] / quant(y).scale[0] / count)
            after = f"level((float)(v - {count * quant(x).zero[0]}) * {factor}, {quant(y).zero[0]}, -128, 127)"
    elif x.dtype != "float32":
        raise op_refused(op, f"of {x.dtype}")
    steps = strides(x.shape)
    inner = "".join(f"for (int r{n} = 0; r{n} < {x.shape[axis]}; ++r{n}) " for n, axis in enumerate(axes))
    walk = " + ".join(f"r{n} * {steps[axis]}" for n, axis in enumerate(axes))
    shape = [x.shape[axis] for axis in kept]
    operands = [(w.pointer(y), strides(shape), 0), (w.pointer(x), [steps[axis] for axis in kept], 0)]

    def text(out: str, first: str) -> str:
        each = f"(&{first})[{walk}]"
        return f"{{ {kind} v = {start}; {inner}{step.format(x=each)}; {out} = {after}; }}"

    w.loops(shape, operands, text)


@emits("ARG_MAX", "ARG_MIN")
def _arg(w: Writer, op: Op) -> None:
    x, y, where = given(op, 0), op.outputs[0], given(op, 1).data
    assert where is not None
    axis = int(where.reshape(())) % len(x.shape)
    steps, kept = strides(x.shape), [each for each in range(len(x.shape)) if each != axis]
    shape = [x.shape[each] for each in kept]
    operands = [(w.pointer(y), strides(shape), 0), (w.pointer(x), [steps[each] for each in kept], 0)]
    sign = ">" if op.kind == "ARG_MAX" else "<"

    def text(out: str, first: str) -> str:
        each = f"(&{first})"
        return (
            f"{{ int best = 0; for (int r = 1; r < {x.shape[axis]}; ++r) "
            f"if ({each}[r * {steps[axis]}] {sign} {each}[best * {steps[axis]}]) best = r; {out} = best; }}"
        )

    w.loops(shape, operands, text)


@emits("CUMSUM")
def _cumsum(w: Writer, op: Op) -> None:
    x, y, where = given(op, 0), op.outputs[0], given(op, 1).data
    assert where is not None
    axis = int(where.reshape(())) % len(x.shape)
    steps, count = strides(x.shape), x.shape[axis]
    shape = [dim for each, dim in enumerate(x.shape) if each != axis]
    kept = [step for each, step in enumerate(steps) if each != axis]
    at = f"{count - 1} - r" if op.options.get("reverse") else "r"
    order = ("{0} = sum; sum += {1};" if op.options.get("exclusive") else "sum += {1}; {0} = sum;").format(
        f"(&{{0}})[({at}) * {steps[axis]}]", f"(&{{1}})[({at}) * {steps[axis]}]"
    )
    text = f"{{{{ {TYPES[x.dtype]} sum = 0; for (int r = 0; r < {count}; ++r) {{{{ {order} }}}} }}}}"
    w.loops(shape, [(w.pointer(y), kept, 0), (w.pointer(x), kept, 0)], text.format)


@emits("LOCAL_RESPONSE_NORMALIZATION")
def _lrn(w: Writer, op: Op) -> None:
    x, y, o = given(op, 0), op.outputs[0], op.options
    count, radius = x.shape[-1], o["radius"]
    rows = int(np.prod(x.shape)) // count
    w.call("expf"), w.call("logf")  # a power by its logarithm
    w.say(f"  for (int r = 0; r < {rows}; ++r) for (int i = 0; i < {count}; ++i) {{")
    w.say(f"    const float *x = {w.pointer(x)} + r * {count};")
    w.say("    float sum = 0.0f;")
    w.say(
        f"    for (int j = i > {radius} ? i - {radius} : 0; j <= i + {radius} && j < {count}; ++j) sum += x[j] * x[j];"
    )
    base = f"{number(o['bias'])} + {number(o['alpha'])} * sum"
    w.say(f"    {w.pointer(y)}[r * {count} + i] = x[i] * expf({number(-o['beta'])} * logf({base}));")
    w.say("  }")


@emits("LOG_SOFTMAX")
def _log_softmax(w: Writer, op: Op) -> None:
    x, y = given(op, 0), op.outputs[0]
    if y.dtype == "int8":
        raise op_refused(op, "in 8 bits")
    count = x.shape[-1]
    rows = int(np.prod(x.shape)) // count
    w.call("expf"), w.call("logf")
    w.say(f"  for (int r = 0; r < {rows}; ++r) {{")
    w.say(f"    const float *x = {w.pointer(x)} + r * {count};")
    w.say(f"    float most = x[0], sum = 0.0f, *y = {w.pointer(y)} + r * {count};")
    w.say(f"    for (int i = 1; i < {count}; ++i) most = x[i] > most ? x[i] : most;")
    w.say(f"    for (int i = 0; i < {count}; ++i) sum += expf(x[i] - most);")
    w.say(f"    for (int i = 0; i < {count}; ++i) y[i] = x[i] - most - logf(sum);")
    w.say("  }")
