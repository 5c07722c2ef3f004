"""Reductions, softmax and what picks the largest."""

from __future__ import annotations

from .dictionary import Axis
from .graph import Function
from .operators import converts, name_of
from .shaping import axes_of
from .writer import Value, Writer

_REDUCTIONS = {
    "Sum": "ReduceSum", "Mean": "ReduceMean", "Max": "ReduceMax", "Min": "ReduceMin", "LogSum": "ReduceLogSumExp",
    "Prod": "ReduceProd",
}  # fmt: skip
_FLOAT = 1  # TensorProto.FLOAT
_ALL = ("AllStaticAxes",)


@converts("ReduceElements", note="not along the batch or a sequence")
def _reduce(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value, attributes = inputs[0], function.attributes
    axes = axes_of(attributes)
    if not axes or any(each.index is None and each.name not in _ALL for each in axes):
        named = ", ".join(each.name for each in axes)
        raise writer.unsupported(function, f"a reduction along the axes {named or 'of the batch'}")
    rank = len(writer.static(function, value))
    if any(each.index is None for each in axes):
        places = list(range(value.dynamic, value.dynamic + rank))
    else:
        places = sorted(writer.place(function, value, each) for each in axes)
    kind = attributes.get("reductionOpName")
    keeps = int(bool(attributes.get("reductionKeepDimensions", True)))
    if kind in ("Argmax", "Argmin"):
        if len(places) != 1:
            raise writer.unsupported(function, "the largest along several axes")
        made = writer.emit(function, f"Arg{kind[3:].title()}", [value.name], axis=places[0], keepdims=keeps)
        return writer.finish(function, "Cast", [made], value, to=_FLOAT)
    if kind not in _REDUCTIONS:
        raise writer.unsupported(function, f"the reduction {kind}")
    if not places:
        return writer.finish(function, "Identity", [value.name], value)
    names = [value.name, writer.ints(function, *places)]
    return writer.finish(function, _REDUCTIONS[kind], names, value, keepdims=keeps)


@converts("Softmax", "LogSoftmax", "Hardmax")
def _softmax(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """Over the whole sample, all of its axes at once; with an axis, CNTK writes it out of other functions."""
    value, name = inputs[0], name_of(function.op)
    axes = axes_of(function.attributes)
    rank = len(writer.static(function, value))
    if axes or rank == 1:
        place = writer.place(function, value, axes[0] if axes else Axis(0, ""))
        return writer.finish(function, name, [value.name], value, axis=place)
    flat = writer.emit(function, "Reshape", [value.name, writer.ints(function, *[0] * value.dynamic, -1)])
    made = writer.emit(function, name, [flat], axis=-1)
    return writer.finish(function, "Reshape", [made, writer.emit(function, "Shape", [value.name])], value)


@converts("TopK")
def _top(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    value = inputs[0]
    place = writer.place(function, value, function.attributes.get("axis", Axis(0, "")))
    count = writer.ints(function, int(function.attributes["numItems"]))
    label = writer.label(function)
    uids = [f"{function.uid}_Output_{index}" for index in range(2)]
    names = [writer.graph.fresh(writer.shown.get(uids[0], uids[0])), writer.graph.fresh(f"{label}/places")]
    writer.graph.node("TopK", [value.name, count], names, label, axis=place)
    places = writer.graph.fresh(writer.shown.get(uids[1], uids[1]))
    writer.graph.node("Cast", [names[1]], places, label, to=_FLOAT)
    writer.values[uids[1]] = Value(places, value.dynamic)
    return Value(names[0], value.dynamic)


@converts("CosDistance")
def _cosine(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    names, dynamic = writer.aligned(function, inputs[:2])
    rank = max(len(writer.static(function, each)) for each in inputs[:2])
    axes = writer.ints(function, *range(dynamic, dynamic + rank))

    def total(first: str, second: str) -> str:
        return writer.emit(function, "ReduceSum", [writer.emit(function, "Mul", [first, second]), axes], keepdims=0)

    sizes = [writer.emit(function, "Sqrt", [total(each, each)]) for each in names]
    size = writer.emit(function, "Mul", sizes)
    tiny = writer.number(function, 1e-12, inputs[0])
    return writer.finish(
        function, "Div", [total(names[0], names[1]), writer.emit(function, "Max", [size, tiny])], dynamic
    )


@converts("SquaredError")
def _squared(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    names, dynamic = writer.aligned(function, inputs[:2])
    rank = max(len(writer.static(function, each)) for each in inputs[:2])
    axes = writer.ints(function, *range(dynamic, dynamic + rank))
    apart = writer.emit(function, "Sub", names)
    return writer.finish(function, "ReduceSumSquare", [apart, axes], dynamic, keepdims=0)
