"""Operators of one value, element by element."""

from __future__ import annotations

import numpy as np
import onnx.helper

from .converter import Converter
from .fills import data_type
from .nets import Operator
from .table import converts

_SAME = {
    "Relu": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Exp": "Exp", "Log": "Log", "Sqrt": "Sqrt", "Abs": "Abs",
    "Negative": "Neg", "Sin": "Sin", "Cos": "Cos", "Tan": "Tan", "Asin": "Asin", "Acos": "Acos", "Atan": "Atan",
    "Sinh": "Sinh", "Cosh": "Cosh", "Softsign": "Softsign", "Sign": "Sign", "Floor": "Floor", "Ceil": "Ceil",
    "Not": "Not", "Reciprocal": "Reciprocal", "Softplus": "Softplus", "Erf": "Erf",
    "Copy": "Identity", "Alias": "Identity", "AliasWithName": "Identity", "StopGradient": "Identity",
    "EnsureCPUOutput": "Identity", "EnsureDense": "Identity", "CopyCPUToGPU": "Identity", "CopyGPUToCPU": "Identity",
    "CopyFromCPUInput": "Identity", "CopyOnDeviceLike": "Identity",
}  # fmt: skip


@converts(*_SAME)
def _same(converter: Converter, op: Operator) -> None:
    op.args.ignore("broadcast", "name", "is_backward")
    converter.finish(op, _SAME[op.type], [converter.value(op, 0)])


@converts("Dropout")
def _dropout(converter: Converter, op: Operator) -> None:
    if not op.args.integer("is_test"):
        raise converter.unsupported(op, "it drops values at random: this net is the one to train (is_test is not set)")
    op.args.ignore("ratio")
    converter.finish(op, "Identity", [converter.value(op, 0)])


@converts("Elu", "LeakyRelu", "ThresholdedRelu")
def _with_alpha(converter: Converter, op: Operator) -> None:
    alpha = op.args.number("alpha", 0.01 if op.type == "LeakyRelu" else 1.0)
    converter.finish(op, op.type, [converter.value(op, 0)], alpha=alpha)


@converts("Selu")
def _selu(converter: Converter, op: Operator) -> None:
    alpha = op.args.number("alpha", 1.6732632423543772848170429916717)
    gamma = op.args.number("scale", 1.0507009873554804934193349852946)
    converter.finish(op, "Selu", [converter.value(op, 0)], alpha=alpha, gamma=gamma)


@converts("HardSigmoid")
def _hard_sigmoid(converter: Converter, op: Operator) -> None:
    alpha, beta = op.args.number("alpha", 0.2), op.args.number("beta", 0.5)
    converter.finish(op, "HardSigmoid", [converter.value(op, 0)], alpha=alpha, beta=beta)


@converts("Sqr")
def _square(converter: Converter, op: Operator) -> None:
    converter.finish(op, "Mul", [converter.value(op, 0)] * 2)


@converts("Cube", "Rsqrt", "Cbrt")
def _powers(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if op.type == "Cube":
        converter.finish(op, "Mul", [converter.emit(op, "Mul", [x, x]), x])
    elif op.type == "Rsqrt":
        converter.finish(op, "Reciprocal", [converter.emit(op, "Sqrt", [x])])
    else:
        third = converter.constant(op, 1 / 3, np.float32)
        root = converter.emit(op, "Pow", [converter.emit(op, "Abs", [x]), third])
        converter.finish(op, "Mul", [converter.emit(op, "Sign", [x]), root])


@converts("Swish")
def _swish(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    converter.finish(op, "Mul", [x, converter.emit(op, "Sigmoid", [x])])


@converts("Clip", "ReluN")
def _clip(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    if op.type == "ReluN":
        low, high = 0.0, op.args.number("n")
    else:
        limits = np.finfo(np.float32)
        low, high = op.args.number("min", float(limits.min)), op.args.number("max", float(limits.max))
    bounds = [converter.constant(op, each, converter.graph.dtype(x) or np.float32) for each in (low, high)]
    converter.finish(op, "Clip", [x, *bounds])


@converts("Logit")
def _logit(converter: Converter, op: Operator) -> None:
    epsilon = op.args.number("eps", 1e-6)
    x = converter.value(op, 0)
    one = converter.constant(op, 1, np.float32)
    held = converter.emit(op, "Clip", [x, *(converter.constant(op, e, np.float32) for e in (epsilon, 1 - epsilon))])
    odds = converter.emit(op, "Div", [held, converter.emit(op, "Sub", [one, held])])
    converter.finish(op, "Log", [odds])


@converts("ReplaceNaN")
def _replace(converter: Converter, op: Operator) -> None:
    x = converter.value(op, 0)
    value = converter.constant(op, op.args.number("value", 0.0), np.float32)
    converter.finish(op, "Where", [converter.emit(op, "IsNaN", [x]), value, x])


@converts("Scale")
def _scale(converter: Converter, op: Operator) -> None:
    converter.finish(
        op, "Mul", [converter.value(op, 0), converter.constant(op, op.args.number("scale", 1.0), np.float32)]
    )


@converts("PRelu")
def _prelu(converter: Converter, op: Operator) -> None:
    x, slope = converter.value(op, 0), converter.value(op, 1)
    rank = converter.rank(x)
    if not converter.channels_last(op) and converter.shape(slope) != (1,) and rank > 2:
        slope = converter.emit(op, "Reshape", [slope, converter.constant(op, [-1] + [1] * (rank - 2), np.int64)])
    converter.finish(op, "PRelu", [x, slope])


@converts("Cast", "FloatToHalf", "HalfToFloat")
def _cast(converter: Converter, op: Operator) -> None:
    if op.type == "Cast":
        wanted = data_type(converter, op, "to", 0)
        op.args.ignore("from_type")
    else:
        wanted = np.float16 if op.type == "FloatToHalf" else np.float32
    converter.finish(op, "Cast", [converter.value(op, 0)], to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(wanted)))
