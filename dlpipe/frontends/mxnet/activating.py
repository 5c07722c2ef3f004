"""Activations, softmax of all kinds, and the layers that end a net in training."""

from __future__ import annotations

import math

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net

_ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softrelu": "Softplus",
    "softsign": "Softsign",
}
_SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


@handles("Activation", "_npx_activation")
def activation(net: Net, layer: Layer) -> str:
    return net.add(_ACTIVATIONS[layer.attributes.choice("act_type", *_ACTIVATIONS)], layer.inputs[0])


@handles("LeakyReLU", "_npx_leaky_relu")
def leaky_relu(net: Net, layer: Layer) -> str:
    a = layer.attributes
    kind = a.choice("act_type", "leaky", "prelu", "elu", "selu", "gelu", "rrelu", default="leaky")
    slope, lower, upper = a.real("slope", 0.25), a.real("lower_bound", 0.125), a.real("upper_bound", 0.334)
    data = layer.inputs[0]
    if kind == "leaky":
        return net.add("LeakyRelu", data, alpha=slope)
    if kind == "rrelu":  # at inference: the mean of its random slopes
        return net.add("LeakyRelu", data, alpha=(lower + upper) / 2)
    if kind == "elu":
        return net.add("Elu", data, alpha=slope)
    if kind == "selu":
        return net.add("Selu", data, **_SELU)
    if kind == "gelu":
        return gelu(net, data)
    gamma = layer.inputs[1]
    if net.rank(gamma) == 1 and net.rank(data) > 2 and net.size(gamma, 0) > 1:
        gamma = net.add("Reshape", gamma, net.ints(-1, *[1] * (net.rank(data) - 2)))
    return net.add("PRelu", data, gamma)


def gelu(net: Net, data: str) -> str:
    erf = net.add("Erf", net.add("Div", data, net.like(math.sqrt(2), data)))
    scaled = net.add("Mul", data, net.like(0.5, data))
    return net.add("Mul", scaled, net.add("Add", erf, net.like(1.0, data)))


@handles("hard_sigmoid")
def hard_sigmoid(net: Net, layer: Layer) -> str:
    a = layer.attributes
    return net.add("HardSigmoid", layer.inputs[0], alpha=a.real("alpha", 0.2), beta=a.real("beta", 0.5))


@handles("softmax", "log_softmax", "softmin", "_npx_softmax", "_npx_log_softmax")
def softmax(net: Net, layer: Layer) -> str:
    a = layer.attributes
    data, axis = layer.inputs[0], net.axis(layer.inputs[0], a.whole("axis", -1))
    temperature = a.real("temperature", 1.0)
    if "dtype" in a:
        data = net.cast(data, a.text("dtype"))
    if temperature != 1.0:
        data = net.add("Div", data, net.like(temperature, data))
    if layer.op == "softmin":
        data = net.add("Neg", data)
    op = "LogSoftmax" if layer.op.endswith("log_softmax") else "Softmax"
    if not a.flag("use_length"):
        return net.add(op, data, axis=axis)
    if op == "LogSoftmax" or layer.op == "softmin":
        raise Refused("use_length is supported for softmax only", kind="unsupported")
    return _masked_softmax(net, data, layer.inputs[1], axis)


def _masked_softmax(net: Net, data: str, length: str, axis: int) -> str:
    """Places from `length` on (its shape: the data's without the axis) get 0."""
    places = net.add("Range", net.constant(np.int64(0)), _size(net, data, axis), net.constant(np.int64(1)))
    behind = net.rank(data) - axis - 1
    places = net.unsqueeze(places, *range(1, behind + 1))
    valid = net.add("Less", places, net.unsqueeze(net.cast(length, np.int64), axis))
    masked = net.add("Where", valid, data, net.like(float(np.finfo(net.dtype(data)).min), data))
    made = net.add("Softmax", masked, axis=axis)
    return net.add("Where", valid, made, net.like(0.0, data))


def _size(net: Net, value: str, axis: int) -> str:
    picked = net.add("Gather", net.add("Shape", value), net.ints(axis), axis=0)
    return net.squeeze(picked, 0)


@handles("SoftmaxActivation")
def softmax_activation(net: Net, layer: Layer) -> str:
    mode = layer.attributes.choice("mode", "instance", "channel", default="instance")
    return net.add("Softmax", layer.inputs[0], axis=1 if mode == "channel" else -1)


@handles("SoftmaxOutput", "Softmax", note="more than two dims need multi_output or preserve_shape")
def softmax_output(net: Net, layer: Layer) -> str:
    a = layer.attributes
    a.ignore("grad_scale", "ignore_label", "use_ignore", "normalization", "out_grad", "smooth_alpha")
    data = layer.inputs[0]
    if a.flag("multi_output"):
        return net.add("Softmax", data, axis=1)
    if a.flag("preserve_shape") or net.rank(data) <= 2:
        return net.add("Softmax", data, axis=-1)
    raise Refused(
        "SoftmaxOutput of more than two dims without multi_output or preserve_shape: MXNet itself gives other numbers "
        "with oneDNN than without",
        kind="unsupported",
    )


@handles("LogisticRegressionOutput", "_sparse_LogisticRegressionOutput")
def logistic_output(net: Net, layer: Layer) -> str:
    layer.attributes.ignore("grad_scale")
    return net.add("Sigmoid", layer.inputs[0])


@handles(
    "LinearRegressionOutput",
    "MAERegressionOutput",
    "_sparse_LinearRegressionOutput",
    "_sparse_MAERegressionOutput",
    "SVMOutput",
    "MakeLoss",
    "make_loss",
    "_sparse_make_loss",
    "IdentityAttachKLSparseReg",
    "BlockGrad",
    "stop_gradient",
    "_sparse_stop_gradient",
    "_contrib_gradientmultiplier",
    "_copy",
    "identity",
    "_copyto",
    "_CrossDeviceCopy",
    "_identity_with_attr_like_rhs",
)
def unchanged(net: Net, layer: Layer) -> str:
    """What matters for gradients only."""
    del net
    training = ("grad_scale", "valid_thresh", "normalization", "sparseness_target", "penalty", "momentum", "scalar")
    layer.attributes.ignore("margin", "regularization_coefficient", "use_linear", "is_int", *training)
    return layer.inputs[0]


@handles("Dropout", "_npx_dropout", note="mode='always' (random at inference) is refused")
def dropout(net: Net, layer: Layer) -> str:
    del net
    layer.attributes.ignore("p", "axes", "cudnn_off")
    layer.attributes.choice("mode", "training", default="training")
    return layer.inputs[0]
