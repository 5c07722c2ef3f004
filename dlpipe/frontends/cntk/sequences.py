"""Functions along a sequence that are no recurrence: shifted, and picked from."""

from __future__ import annotations

import numpy as np

from .graph import Function, Net
from .operators import converts, name_of
from .writer import Value, Writer


def shift(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """PastValue, FutureValue of something that does not depend on it: moved by `offset` steps, filled up with the
    initial value."""
    value, initial = inputs[0], inputs[1]
    offset = int(function.attributes.get("offset", 1))
    if value.dynamic != 2 or offset < 1:
        raise writer.bad(function, "a shift of something that is no sequence")
    past = name_of(function.op) == "PastValue"
    end = np.iinfo(np.int64).max
    one_step = Value(
        writer.emit(function, "Gather", [value.name, writer.constant(function, 0, np.int64)], axis=1), 1, value.steady
    )
    start = begin(writer, function, initial, one_step)
    filled = writer.emit(function, "Unsqueeze", [start, writer.ints(function, 1)])
    if offset > 1:
        rank = len(writer.static(function, value))
        filled = writer.emit(function, "Tile", [filled, writer.ints(function, 1, offset, *[1] * rank)])
    # The values and the filling, one behind the other, are cut to the old length.
    joined = [filled, value.name] if past else [value.name, filled]
    whole = writer.emit(function, "Concat", joined, axis=1)
    cut = (0, -offset) if past else (offset, end)
    parts = [writer.ints(function, each) for each in (*cut, 1)]
    made = writer.finish(function, "Slice", [whole, *parts], 2)
    return Value(made.name, 2, value.steady and initial.steady)


def begin(writer: Writer, function: Function, initial: Value, step: Value) -> str:
    """The initial value, as large as one step [N, ...]."""
    if initial.dynamic > 1:
        raise writer.unsupported(function, "an initial value that is a sequence")
    name = initial.name
    if initial.dynamic == 1 and len(writer.static(function, initial)) != len(writer.static(function, step)):
        raise writer.unsupported(function, "an initial value of another rank")
    return writer.emit(function, "Expand", [name, writer.emit(function, "Shape", [step.name])])


@converts("Where", "PackedIndex", "GatherPacked", note="places that depend on the input's numbers are refused")
def _picked(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """Where(flags) and PackedIndex(x, where) are handed on; GatherPacked(x, index) picks the steps with a flag."""
    kind = name_of(function.op)
    if kind == "Where":
        if not inputs[0].steady:
            raise writer.unsupported(function, "steps picked by what is in the sequence")
        return inputs[0]
    if kind == "PackedIndex":
        return inputs[1]
    value, flags = inputs[0], inputs[1]
    first = writer.emit(function, "Gather", [flags.name, writer.constant(function, 0, np.int64)], axis=0)
    flat = writer.emit(function, "Reshape", [first, writer.ints(function, -1)])
    isnt = writer.emit(function, "Equal", [flat, writer.constant(function, 0, np.float32)])
    chosen = writer.emit(function, "Not", [isnt])
    return writer.finish(function, "Compress", [value.name, chosen], value, axis=1)


def picks_one(net: Net, function: Function) -> int | None:
    """For a GatherPacked of just the first or the last step: 0 or -1 (sequence.first, sequence.last)."""
    index = net.maker(net.resolve(function.inputs[1]))
    where = net.maker(net.resolve(index.inputs[1])) if index and name_of(index.op) == "PackedIndex" else None
    if where is None or name_of(where.op) != "Where" or len(where.attributes.get("newDynamicAxes") or ()) != 1:
        return None
    edge = net.maker(net.resolve(where.inputs[0]))
    if edge is None or name_of(edge.op) not in ("PastValue", "FutureValue") or edge.attributes.get("offset") != 1:
        return None
    flag = net.maker(net.resolve(edge.inputs[0]))
    if flag is None or name_of(flag.op) != "ReconcileDynamicAxis":
        return None
    zero, one = (net.variables.get(net.resolve(each)) for each in (flag.inputs[0], edge.inputs[1]))
    held = [
        each is not None and each.value is not None and np.all(each.value == at) for each, at in ((zero, 0), (one, 1))
    ]
    if not all(held):
        return None
    return 0 if name_of(edge.op) == "PastValue" else -1


def keeps_lengths(net: Net, function: Function) -> bool:
    """Whether a ToSequence takes its lengths from the convolution along a sequence that it closes."""
    if name_of(function.op) != "ToSequence" or len(function.inputs) != 2:
        return False
    maker = net.maker(net.resolve(function.inputs[1]))
    if maker is not None and name_of(maker.op) == "StopGradient" and maker.inputs:
        maker = net.maker(net.resolve(maker.inputs[0]))
    return maker is not None and name_of(maker.op) == "ConvolutionSequenceShape"


def pick_one(writer: Writer, function: Function, value: Value, step: int) -> Value:
    if value.dynamic != 2:
        raise writer.bad(function, "it picks a step of a value that is no sequence")
    place = writer.constant(function, step, np.int64)
    return writer.finish(function, "Gather", [value.name, place], 1, axis=1)
