"""Recurrences: functions that need each other through PastValue or FutureValue become one ONNX Scan along the sequence.

The states are the values of the last `offset` steps of what is looked back at; all else in the circle is computed once
a step. What comes from outside is scanned where it is a sequence, and seen from within where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .graph import Function, Net
from .operators import name_of
from .writer import Value, Writer

DELAYS = ("PastValue", "FutureValue")
Compute = Callable[[Writer, Function], None]


@dataclass
class _State:
    """`chain`: the values of one step ago, two steps ago ... within the body."""

    delay: Function
    source: str
    start: str
    chain: list[str] = field(default_factory=list)


def write_scan(writer: Writer, net: Net, members: list[str], wanted: set[str], compute: Compute) -> None:
    """members: the functions of the circle, in an order in which one step of them can be computed once the delays are
    known. wanted: their values that are read outside. compute: writes one function with a writer."""
    functions = [net.functions[uid] for uid in members]
    delays = [each for each in functions if name_of(each.op) in DELAYS]
    lead = delays[0] if delays else functions[0]
    kinds = {name_of(each.op) for each in delays}
    if len(kinds) != 1:
        raise writer.unsupported(lead, "a recurrence in both directions at once" if kinds else "a circle")
    inside = {f"{uid}_Output_0" for uid in members}
    fed = _fed(net, functions, inside)
    lost = [uid for uid in fed if uid not in writer.values]
    if lost:
        raise writer.bad(lead, f"it reads {lost[0]!r}, which nothing computes")
    scanned = [uid for uid in fed if writer.values[uid].dynamic == 2]
    if not scanned:
        raise writer.unsupported(lead, "a recurrence that reads no sequence: its length is not known")
    body = Writer(writer.graph.inner("recurrence"), stepwise=True)
    body.values = {uid: writer.values[uid] for uid in fed if uid not in scanned}
    states = [_state(writer, body, net, each, writer.values[scanned[0]]) for each in delays]
    for uid in scanned:
        _scan_input(writer, body, uid)
    for each in functions:
        if each not in delays:
            compute(body, each)
    outputs = sorted(wanted & inside)
    _close(body, net, states, outputs)
    label = writer.label(lead)
    backward = int("FutureValue" in kinds)
    starts = [state.start for state in states for _ in state.chain]
    names = [writer.graph.fresh(f"{label}/last") for _ in starts]
    results = [writer.graph.fresh(writer.shown.get(uid, uid)) for uid in outputs]
    writer.graph.node(
        "Scan",
        [*starts, *(writer.values[uid].name for uid in scanned)],
        [*names, *results],
        label,
        body=body.graph.as_body(),
        num_scan_inputs=len(scanned),
        scan_input_axes=[1] * len(scanned),
        scan_output_axes=[1] * len(results),
        scan_input_directions=[backward] * len(scanned),
        scan_output_directions=[backward] * len(results),
    )
    writer.values.update({uid: Value(name, 2) for uid, name in zip(outputs, results, strict=True)})


def _fed(net: Net, functions: list[Function], inside: set[str]) -> list[str]:
    """What the circle reads from outside, each once; not the delays' initial values, which are needed before."""
    found: dict[str, None] = {}
    for each in functions:
        if not each.inputs:
            continue
        read = each.inputs[:1] if name_of(each.op) in DELAYS else each.inputs
        found.update({net.resolve(uid): None for uid in read if net.resolve(uid) not in inside})
    return list(found)


def _state(writer: Writer, body: Writer, net: Net, delay: Function, like: Value) -> _State:
    """The state behind a delay, with the shape that the file states for what it looks back at."""
    offset = int(delay.attributes.get("offset", 1))
    if not 1 <= offset <= 64:
        raise writer.unsupported(delay, f"a recurrence over {offset} steps")
    shape = _stated_shape(net, delay)
    if shape is None or any(dim < 0 for dim in shape):
        raise writer.unsupported(delay, "a recurrence whose shape is not in the file")
    front = writer.emit(delay, "Shape", [like.name], end=1)
    step = writer.emit(delay, "Concat", [front, writer.ints(delay, *shape)], axis=0) if shape else front
    initial = writer.values.get(net.resolve(delay.inputs[1])) if len(delay.inputs) > 1 else None
    if initial is None:
        raise writer.bad(delay, "a recurrence without an initial value")
    start = writer.emit(delay, "Expand", [initial.name, step])
    state = _State(delay, net.resolve(delay.inputs[0]), start)
    batch = (writer.graph.shape(like.name) or (None,))[0]
    for step_back in range(1, offset + 1):
        name = body.graph.fresh(f"{delay.uid}/{step_back} ago")
        dtype = writer.graph.dtype(start) or "float32"
        body.graph.input(name, dtype, [batch if batch is not None else "N", *shape])
        state.chain.append(name)
    body.values[f"{delay.uid}_Output_0"] = Value(state.chain[-1], 1)
    return state


def _stated_shape(net: Net, delay: Function) -> list[int] | None:
    """In numpy's order. A recurrence is closed by a placeholder that is named after the value, and has its shape."""
    uid: str | None = delay.inputs[0]
    seen = 0
    while uid is not None and seen < 1000:
        if uid in net.variables:
            return list(net.variables[uid].shape[::-1])
        uid, seen = net.passed.get(uid), seen + 1
    return None


def _scan_input(writer: Writer, body: Writer, uid: str) -> None:
    outer = writer.values[uid]
    shape = writer.graph.shape(outer.name) or ()
    name = body.graph.fresh(f"{uid}/step")
    dims = [dim if dim is not None else f"{name}_{at}" for at, dim in enumerate(shape) if at != 1]
    body.graph.input(name, writer.graph.dtype(outer.name) or "float32", dims)
    body.values[uid] = Value(name, 1)


def _close(body: Writer, net: Net, states: list[_State], outputs: list[str]) -> None:
    """The body's outputs: the states of the next step, then what is collected. Each under a name of its own."""
    for state in states:
        source = body.values[state.source]
        newest = source.name
        if source.dynamic == 0:
            raise body.unsupported(state.delay, "a recurrence of a value without a batch")
        for name in [newest, *state.chain[:-1]]:
            _output(body, state.delay, name)
    for uid in outputs:
        maker = net.maker(uid)
        assert maker is not None
        _output(body, maker, body.values[uid].name)


def _output(body: Writer, function: Function, name: str) -> None:
    graph = body.graph
    made = graph.node("Identity", [name], graph.fresh(f"{body.label(function)}/out"), body.label(function))
    dims = [dim if dim is not None else f"{made}_{at}" for at, dim in enumerate(graph.shape(made) or ())]
    graph.output(made, graph.dtype(made) or "float32", dims)
