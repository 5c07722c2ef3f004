"""Layers that change every number by itself."""

from __future__ import annotations

import math

import numpy as np

from ..step import Step, layer

SAME = {
    "AbsVal": "Abs",
    "BNLL": "Softplus",
    "Sigmoid": "Sigmoid",
    "TanH": "Tanh",
    "Dropout": "Identity",
    "Mish": "Mish",
    "HardSwish": "HardSwish",
}


@layer(*SAME)
def same(step: Step) -> None:
    step.expect()
    if step.layer.type == "Dropout":
        params = step.params("dropout_param")
        if params.sample_weights_test:
            step.fail("dropout that samples at test time has no fixed result", "unsupported")
        if not params.scale_train:  # then the test pass is what is scaled
            factor = step.number(1 - params.dropout_ratio, "keep")
            step.out("Mul", [step.inputs[0], factor], step.shapes[0])
            return
    step.out(SAME[step.layer.type], step.inputs, step.shapes[0])


@layer("ReLU")
def relu(step: Step) -> None:
    step.expect()
    slope = step.params("relu_param").negative_slope
    if slope:
        step.out("LeakyRelu", step.inputs, step.shapes[0], alpha=slope)
    else:
        step.out("Relu", step.inputs, step.shapes[0])


@layer("ReLU6")
def relu6(step: Step) -> None:
    step.expect()
    step.params("relu6_param")
    _clip(step, 0, 6)


@layer("Clip")
def clip(step: Step) -> None:
    step.expect()
    params = step.params("clip_param")
    if params.min is None or params.max is None:
        step.fail("it has no min or no max")
    _clip(step, params.min, params.max)


def _clip(step: Step, low: float, high: float) -> None:
    step.out("Clip", [step.inputs[0], step.number(low, "min"), step.number(high, "max")], step.shapes[0])


@layer("PReLU")
def prelu(step: Step) -> None:
    step.expect()
    shared = step.params("prelu_param").channel_shared
    rank = step.rank()
    channels = 1 if shared else step.shapes[0][1] if rank > 1 else step.fail("its bottom has no channels")
    slope = step.blob(0, [channels]).reshape([channels, *[1] * (rank - 2)])
    step.out("PRelu", [step.inputs[0], step.constant(slope, "slope")], step.shapes[0])


@layer("ELU")
def elu(step: Step) -> None:
    step.expect()
    step.out("Elu", step.inputs, step.shapes[0], alpha=step.params("elu_param").alpha)


@layer("Swish")
def swish(step: Step) -> None:
    step.expect()
    beta = step.params("swish_param").beta
    value = step.inputs[0]
    gate = value if beta == 1 else step.node("Mul", [value, step.number(beta, "beta")])
    step.out("Mul", [value, step.node("Sigmoid", [gate])], step.shapes[0])


@layer("Threshold")
def threshold(step: Step) -> None:
    step.expect()
    limit = step.number(step.params("threshold_param").threshold, "threshold")
    step.out("Cast", [step.node("Greater", [step.inputs[0], limit])], step.shapes[0], to=1)


@layer("Power")
def power(step: Step) -> None:
    """(shift + scale x) ^ power"""
    step.expect()
    params = step.params("power_param")
    value = step.inputs[0]
    if params.power == 0:  # Caffe then fills the top with ones, whatever x is
        zero = step.node("Mul", [value, step.number(0, "zero")])
        step.out("Exp", [zero], step.shapes[0])
        return
    if params.scale != 1:
        value = step.node("Mul", [value, step.number(params.scale, "scale")])
    if params.shift:
        value = step.node("Add", [value, step.number(params.shift, "shift")])
    if params.power != 1:
        step.out("Pow", [value, step.number(params.power, "power")], step.shapes[0])
    else:
        step.out("Identity", [value], step.shapes[0])


@layer("Exp")
def exponential(step: Step) -> None:
    """base ^ (shift + scale x); the base -1 is e."""
    step.expect()
    params = step.params("exp_param")
    log = 1.0 if params.base == -1 else _log(step, params.base)
    value = step.node("Mul", [step.inputs[0], step.number(log * params.scale, "scale")])
    value = step.node("Add", [value, step.number(log * params.shift, "shift")])
    step.out("Exp", [value], step.shapes[0])


@layer("Log")
def logarithm(step: Step) -> None:
    """log_base(shift + scale x); the base -1 is e."""
    step.expect()
    params = step.params("log_param")
    value = step.node("Mul", [step.inputs[0], step.number(params.scale, "scale")])
    value = step.node("Add", [value, step.number(params.shift, "shift")])
    if params.base == -1:
        step.out("Log", [value], step.shapes[0])
        return
    factor = step.number(1 / _log(step, params.base), "base")
    step.out("Mul", [step.node("Log", [value]), factor], step.shapes[0])


def _log(step: Step, base: float) -> float:
    if base <= 0 or base == 1:
        step.fail(f"its base is {base}")
    return math.log(np.float32(base))


@layer("Softmax")
def softmax(step: Step) -> None:
    step.expect()
    axis = step.axis(step.params("softmax_param").axis, step.rank())
    step.out("Softmax", step.inputs, step.shapes[0], axis=axis)
