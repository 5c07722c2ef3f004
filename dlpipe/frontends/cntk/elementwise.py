"""Functions that work element by element."""

from __future__ import annotations

import onnx

from .graph import Function
from .operators import converts, name_of
from .writer import Value, Writer

_SAME = {
    "Negate": "Neg", "Sigmoid": "Sigmoid", "StableSigmoid": "Sigmoid", "Tanh": "Tanh", "ReLU": "Relu", "Exp": "Exp",
    "Log": "Log", "Sqrt": "Sqrt", "Floor": "Floor", "Abs": "Abs", "Reciprocal": "Reciprocal", "Sin": "Sin",
    "Cos": "Cos", "Sinh": "Sinh", "Cosh": "Cosh", "Asin": "Asin", "Acos": "Acos", "Atanh": "Atanh", "Asinh": "Asinh",
    "Tan": "Tan", "Atan": "Atan", "Dropout": "Identity", "Pass": "Identity", "NoOp": "Identity",
    "StopGradient": "Identity",
}  # fmt: skip
_BINARY = {"Plus": "Add", "Minus": "Sub", "ElementTimes": "Mul", "Pow": "Pow"}
_TESTS = {
    "Equal": "Equal", "Less": "Less", "LessEqual": "LessOrEqual", "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
}  # fmt: skip


@converts(*_SAME)
def _same(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    return writer.finish(function, _SAME[name_of(function.op)], [inputs[0].name], inputs[0])


@converts(*_BINARY)
def _binary(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    names, dynamic = writer.aligned(function, inputs[:2])
    return _mark(writer.finish(function, _BINARY[name_of(function.op)], names, dynamic), inputs)


@converts(*_TESTS, "NotEqual")
def _test(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """CNTK's answer is 0 or 1, of the inputs' own type."""
    names, dynamic = writer.aligned(function, inputs[:2])
    name = name_of(function.op)
    made = writer.emit(function, _TESTS.get(name, "Equal"), names)
    if name == "NotEqual":
        made = writer.emit(function, "Not", [made])
    return _mark(writer.finish(function, "Cast", [made], dynamic, to=_element(writer, inputs[0])), inputs)


@converts("Select")
def _select(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    names, dynamic = writer.aligned(function, inputs[:3])
    zero = writer.number(function, 0, inputs[0])
    isnt = writer.emit(function, "Equal", [names[0], zero])
    return _mark(writer.finish(function, "Where", [isnt, names[2], names[1]], dynamic), inputs)


@converts("Clip")
def _clip(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    names, dynamic = writer.aligned(function, inputs[:3])
    return _mark(writer.finish(function, "Min", [writer.emit(function, "Max", names[:2]), names[2]], dynamic), inputs)


@converts("LogPlus")
def _log_plus(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """log(exp(a) + exp(b)) = b + softplus(a - b), which does not overflow."""
    names, dynamic = writer.aligned(function, inputs[:2])
    larger = writer.emit(function, "Max", names)
    apart = writer.emit(function, "Neg", [writer.emit(function, "Abs", [writer.emit(function, "Sub", names)])])
    made = writer.finish(function, "Add", [larger, writer.emit(function, "Softplus", [apart])], dynamic)
    return _mark(made, inputs)


@converts("ELU")
def _elu(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    alpha = float(function.attributes.get("alpha", 1.0))
    return writer.finish(function, "Elu", [inputs[0].name], inputs[0], alpha=alpha)


@converts("ConstantOp")
def _filled(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    shape = writer.emit(function, "Shape", [inputs[0].name])
    value = writer.constant(function, float(function.attributes.get("fillValue", 0.0)), "float32")
    return Value(writer.finish(function, "Expand", [value, shape], inputs[0]).name, inputs[0].dynamic, steady=True)


@converts("Cast")
def _cast(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    kinds = {1: onnx.TensorProto.FLOAT, 2: onnx.TensorProto.DOUBLE, 4: onnx.TensorProto.FLOAT16}
    wanted = function.attributes.get("newDataType")
    if wanted not in kinds:
        raise writer.unsupported(function, f"a cast to CNTK's type {wanted}")
    return writer.finish(function, "Cast", [inputs[0].name], inputs[0], to=kinds[wanted])


def _element(writer: Writer, value: Value) -> int:
    dtype = writer.graph.dtype(value.name)
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype) if dtype is not None else onnx.TensorProto.FLOAT)


def _mark(made: Value, inputs: list[Value]) -> Value:
    return Value(made.name, made.dynamic, all(each.steady for each in inputs))
