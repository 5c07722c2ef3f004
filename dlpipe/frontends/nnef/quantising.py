"""Quantisation: QuantizeLinear and DequantizeLinear for eight bits, its arithmetic in floating point for the rest."""

from __future__ import annotations

import numpy as np

from .step import Step, Tensor, handles


@handles("linear_quantize", "min_max_linear_quantize")
def _min_max(step: Step) -> Tensor:
    """The range between min and max in 2 to the power of bits steps."""
    x = step.tensor("x")
    signed, symmetric = (step.op != "linear_quantize" and step.flag(key) for key in ("signed", "symmetric"))
    bits = _bits(step)
    low, high = (step.tensor(key, x) for key in ("min", "max"))
    steps = float(2**bits - 1 - int(signed and symmetric))
    x, low, high = step.aligned(x, low, high)
    width = step.emit("Sub", [high, low])
    inside = step.emit("Max", [step.emit("Min", [x, high]), low])
    counted = step.binary("Mul", step.emit("Div", [step.emit("Sub", [inside, low]), width]), steps)
    level = step.emit("Floor", [step.binary("Add", counted, 0.5)])  # counted is 0 or more
    scaled = step.emit("Mul", [step.binary("Div", level, steps), width])
    return step.result("Add", [scaled, low])


@handles("zero_point_linear_quantize")
def _zero_point(step: Step) -> Tensor:
    x = step.tensor("x")
    bits, signed, symmetric = _bits(step), step.flag("signed"), step.flag("symmetric")
    scale, zero = step.tensor("scale", x), step.tensor("zero_point", x)
    numbers = [step.graph.array(each.name) for each in (scale, zero)]
    if bits == 8 and not (signed and symmetric) and all(each is not None and each.size == 1 for each in numbers):
        pair = [step.constant(numbers[0].reshape(()).astype(np.float32)), _whole(step, numbers[1], signed)]
        return step.result("DequantizeLinear", [step.emit("QuantizeLinear", [x, *pair]), *pair])
    most = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1
    least = 0.0 if not signed else -most if symmetric else -most - 1
    x, scale, zero = step.aligned(x, scale, step.emit("Cast", [zero], to=1))
    level = step.emit("Add", [step.emit("Round", [step.emit("Div", [x, scale])]), zero])
    held = step.binary("Max", step.binary("Min", level, most), least)
    return step.result("Mul", [step.emit("Sub", [held, zero]), scale])


@handles("logarithmic_quantize")
def _logarithmic(step: Step) -> Tensor:
    """Levels are powers of two."""
    x = step.tensor("x")
    steps = float(2 ** _bits(step) - 1)
    x, most = step.aligned(x, step.tensor("max", x))
    log2 = float(np.log(2.0))
    top = step.emit("Ceil", [step.binary("Div", step.emit("Log", [most]), log2)])
    level = step.binary("Div", step.emit("Log", [step.emit("Abs", [x])]), log2)
    held = step.emit("Max", [step.emit("Min", [level, top]), step.binary("Sub", top, steps)])
    power = step.emit("Pow", [step.tensor(2.0, x), step.emit("Round", [held])])
    return step.result("Mul", [step.emit("Sign", [x]), power])


def dequantised(step: Step, stored: Tensor) -> Tensor:
    """What the integers of a quantised .dat file stand for, by the arguments of its line in graph.quant."""
    array = step.graph.array(stored.name)
    if step.op == "zero_point_linear_quantize":
        scale, zero = (np.asarray(step.args[key], np.float64).reshape(-1) for key in ("scale", "zero_point"))
        if scale.size != 1 or zero.size != 1:
            step.fail("a variable quantised by channel", "unsupported")
        if array.dtype.itemsize == 1:
            pair = [step.constant(np.float32(scale[0])), _whole(step, zero, array.dtype.kind == "i")]
            return step.result("DequantizeLinear", [stored, *pair])
        return step.constant(((array - zero[0]) * scale[0]).astype(np.float32), step.name())
    if step.op == "logarithmic_quantize":
        step.fail("a variable stored in this quantisation", "unsupported")
    signed, symmetric = (bool(step.args.get(key, False)) for key in ("signed", "symmetric"))
    bits, low, high = _bits(step), step.number("min"), step.number("max")
    steps = 2.0**bits - 1 - int(signed and symmetric)
    offset = 2.0 ** (bits - 1) - int(symmetric) if signed else 0.0
    real = (array.astype(np.float64) + offset) / steps * (high - low) + low
    return step.constant(real.astype(np.float32), step.name())


def _whole(step: Step, zero: object, signed: bool) -> Tensor:
    number = float(np.asarray(zero).reshape(()))
    kind = np.int8 if signed else np.uint8
    if number != int(number) or not np.iinfo(kind).min <= number <= np.iinfo(kind).max:
        step.fail(f"a zero point of {number}")
    return step.constant(np.asarray(int(number), kind))


def _bits(step: Step) -> int:
    bits = step.integer("bits")
    if not 0 < bits <= 24:
        step.fail(f"{bits} bits", "unsupported")
    return bits
