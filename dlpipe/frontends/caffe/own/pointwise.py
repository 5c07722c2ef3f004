"""Every number by itself, or with its neighbour in another blob."""

from __future__ import annotations

from typing import Any

import numpy as np


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _relu(context: Any, x: Any) -> Any:
    return np.where(x > 0, x, x * context.params("relu_param").negative_slope)


def _prelu(context: Any, x: Any) -> Any:
    slope = context.blobs[0].reshape(-1)
    return np.where(x > 0, x, x * slope.reshape([-1, *[1] * (x.ndim - 2)]))


def _clip(context: Any, x: Any) -> Any:
    params = context.params("clip_param")
    return np.clip(x, params.min, params.max)


def _dropout(context: Any, x: Any) -> Any:
    params = context.params("dropout_param")
    return x if params.scale_train else x * (1 - params.dropout_ratio)


def _power(context: Any, x: Any) -> Any:
    params = context.params("power_param")
    return np.power(params.shift + params.scale * x, params.power)


def _exp(context: Any, x: Any) -> Any:
    params = context.params("exp_param")
    return np.power(np.e if params.base == -1 else params.base, params.shift + params.scale * x)


def _log(context: Any, x: Any) -> Any:
    params = context.params("log_param")
    return np.log(params.shift + params.scale * x) / (1 if params.base == -1 else np.log(params.base))


def _softmax(context: Any, x: Any) -> Any:
    axis = context.params("softmax_param").axis
    raised = np.exp(x - x.max(axis, keepdims=True))
    return raised / raised.sum(axis, keepdims=True)


def _eltwise(context: Any, *inputs: Any) -> Any:
    params = context.params("eltwise_param")
    if params.operation == "PROD":
        return np.prod(inputs, axis=0)
    if params.operation == "MAX":
        return np.max(inputs, axis=0)
    return sum(each * factor for each, factor in zip(inputs, params.coeff or [1] * len(inputs), strict=True))


def _fit(x: Any, operand: Any, axis: int) -> Any:
    axis += x.ndim if axis < 0 else 0
    return operand.reshape([*operand.shape, *[1] * (x.ndim - axis - operand.ndim)]) if operand.ndim else operand


def _own(x: Any, blob: Any, params: Any) -> Any:
    axis = params.axis + (x.ndim if params.axis < 0 else 0)
    end = x.ndim if params.num_axes == -1 else axis + params.num_axes
    return blob.reshape(x.shape[axis:end])


def _scale(context: Any, x: Any, *given: Any) -> Any:
    params = context.params("scale_param")
    factor = given[0] if given else _own(x, context.blobs[0], params)
    made = x * _fit(x, factor, params.axis)
    if params.bias_term:
        made = made + _fit(x, context.blobs[-1].reshape(factor.shape), params.axis)
    return made


def _bias(context: Any, x: Any, *given: Any) -> Any:
    params = context.params("bias_param")
    return x + _fit(x, given[0] if given else _own(x, context.blobs[0], params), params.axis)


def _swish(context: Any, x: Any) -> Any:
    return x * _sigmoid(context.params("swish_param").beta * x)


FORWARD = {
    "AbsVal": lambda _, x: np.abs(x),
    "BNLL": lambda _, x: np.logaddexp(0, x),
    "Sigmoid": lambda _, x: _sigmoid(x),
    "TanH": lambda _, x: np.tanh(x),
    "Mish": lambda _, x: x * np.tanh(np.logaddexp(0, x)),
    "HardSwish": lambda _, x: x * np.clip(x + 3, 0, 6) / 6,
    "ReLU": _relu,
    "ReLU6": lambda _, x: np.clip(x, 0, 6),
    "PReLU": _prelu,
    "ELU": lambda c, x: np.where(x > 0, x, c.params("elu_param").alpha * np.expm1(np.minimum(x, 0))),
    "Clip": _clip,
    "Dropout": _dropout,
    "Power": _power,
    "Exp": _exp,
    "Log": _log,
    "Threshold": lambda c, x: (x > c.params("threshold_param").threshold).astype(float),
    "Softmax": _softmax,
    "Swish": _swish,
    "Eltwise": _eltwise,
    "Scale": _scale,
    "Bias": _bias,
    "Axpy": lambda _, a, x, y: a.reshape([*x.shape[:2], *[1] * (x.ndim - 2)]) * x + y,
    "Split": lambda c, x: [x] * c.tops,
    "Silence": lambda *_: [],
}
