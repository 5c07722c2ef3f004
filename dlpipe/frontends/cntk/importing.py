"""The import of a CNTK version 2 model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit.ports import BATCH, read_labels
from ..kit.shaped import ShapedGraph
from .dictionary import FREE, INFERRED, read_model
from .graph import Function, Net, Variable, build
from .operators import OPERATORS, name_of
from .order import components
from .recurrence import DELAYS, write_scan
from .sequences import keeps_lengths, pick_one, picks_one, shift
from .writer import Value, Writer

_TYPES = {1: "float32", 2: "float64", 4: "float16"}  # CNTK's DataType
_SEQUENCE = "T"
_INPUT = 0  # VariableKind


def import_model(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    params = request.params
    net = build(read_model(Path(request.inputs["source"], params["entry"])))
    outputs = _chosen(net, params["outputs"])
    sources = {value: net.shown.get(value, value) for value, _ in outputs}  # where CNTK itself finds them
    for value, called in outputs:
        net.shown[value] = called

    def needs(uid: str) -> list[str]:
        return _needs(net, uid)

    roots = [maker.uid for maker in (net.maker(value) for value, _ in outputs) if maker is not None]
    order = components(roots, needs)
    _check_known(net, [uid for part in order for uid in part])
    graph = ShapedGraph("cntk")
    writer = Writer(graph, shown=net.shown)
    _feed(net, writer, order, params["inputs"], params["dims"])
    _hold(net, writer, order)
    for part in order:
        if len(part) > 1 or part[0] in needs(part[0]):
            _recur(writer, net, part, order, [value for value, _ in outputs])
        else:
            _compute(writer, net, net.functions[part[0]])
    for value, called in outputs:
        _declare(writer, value, called, sources[value])
    graph.save(request.out, labels=read_labels(request.inputs["source"], params["entry"]))
    return {"functions": sum(map(len, order))}


def _chosen(net: Net, wanted: list[str]) -> list[tuple[str, str]]:
    """(value, name) of the outputs: the model's, or functions the user names (by name or by CNTK's uid)."""
    if not wanted:
        return net.outputs()
    found = []
    for name in wanted:
        uids = [each.uid for each in net.functions.values() if name in (each.name, each.uid, f"{each.uid}_Output_0")]
        if len(uids) != 1:
            some = ", ".join(sorted(each.name for each in net.functions.values() if each.name)[:10])
            raise Refused(f"{len(uids) or 'no'} functions are called {name!r}", hint=f"there are: {some}")
        found.append((net.resolve(f"{uids[0]}_Output_0"), name))
    return found


def _needs(net: Net, uid: str) -> list[str]:
    """The functions whose values this one reads."""
    makers = (net.maker(net.resolve(each)) for each in _read_by(net, net.functions[uid]))
    return [maker.uid for maker in makers if maker is not None]


def _read_by(net: Net, function: Function) -> list[str]:
    """Just the first or last step needs none of how that is found; lengths that a convolution leaves are known."""
    picks = name_of(function.op) == "GatherPacked" and len(function.inputs) > 1 and picks_one(net, function) is not None
    return function.inputs[:1] if picks or keeps_lengths(net, function) else function.inputs


def _check_known(net: Net, uids: list[str]) -> None:
    functions = [net.functions[uid] for uid in uids]
    missing = {name_of(each.op): each for each in functions if name_of(each.op) not in {*OPERATORS, *DELAYS}}
    if missing:
        name, first = min(missing.items())
        raise Refused(
            f"the functions {', '.join(sorted(missing))} are not converted",
            "unsupported",
            node=first.name or first.uid,
            op=name,
        )


def _variables(net: Net, order: list[list[str]]) -> list[Variable]:
    """Those that the functions read, in the order of the file."""
    read = {net.resolve(each) for part in order for uid in part for each in _read_by(net, net.functions[uid])}
    return [each for each in net.variables.values() if each.uid in read and net.maker(each.uid) is None]


def _feed(net: Net, writer: Writer, order: list[list[str]], given: Mapping[str, Any], dims: Mapping[str, int]) -> None:
    inputs = [each for each in _variables(net, order) if each.value is None]
    names = {each.name or each.uid for each in inputs}
    if len(names) < len(inputs):
        names = {each.uid for each in inputs}
    unknown = sorted(set(given) - names)
    if unknown:
        raise Refused(f"there is no input {unknown[0]!r}", hint=f"its inputs: {', '.join(sorted(names))}")
    for each in inputs:
        if each.kind != _INPUT:
            raise Refused(f"the placeholder {each.uid} stands for nothing: the model is not whole", node=each.uid)
        name = each.name if each.name in names else each.uid
        shape: list[int | str] = given.get(name, {}).get("shape") or _shape(each, name)
        dtype = given.get(name, {}).get("dtype") or _TYPES.get(each.data_type, "float32")
        shape = [dims.get(dim, dim) if isinstance(dim, str) else dim for dim in shape]
        if len(shape) != len(each.shape) + len(each.dynamic):
            raise Refused(f"the input {name!r} has {len(each.shape) + len(each.dynamic)} dims: {_shape(each, name)}")
        layout = "NCHW" if len(each.shape) == 3 and len(each.dynamic) == 1 else None
        made = writer.graph.input(name, dtype, shape, source=each.uid, layout=layout)
        writer.values[each.uid] = Value(made, len(each.dynamic))


def _shape(variable: Variable, name: str) -> list[int | str]:
    """[batch, sequence, static axes in numpy's order]."""
    if len(variable.dynamic) > 2:
        raise Refused(f"the input {name!r} has {len(variable.dynamic)} dynamic axes", "unsupported", node=name)
    front = (BATCH, _SEQUENCE)[: len(variable.dynamic)]
    static = [dim if dim not in (FREE, INFERRED) else f"{name}_{at}" for at, dim in enumerate(variable.shape[::-1])]
    return [*front, *static]


def _hold(net: Net, writer: Writer, order: list[list[str]]) -> None:
    """Parameters and constants."""
    for each in _variables(net, order):
        if each.value is not None:
            if list(each.value.shape) != list(each.shape[::-1]):
                raise Refused(f"the weights {each.uid} are {each.value.shape} and should be {each.shape[::-1]}")
            made = writer.graph.constant(each.value, f"{each.name}/{each.uid}" if each.name else each.uid)
            writer.values[each.uid] = Value(made, 0, steady=True)


def _compute(writer: Writer, net: Net, function: Function) -> None:
    writer.graph.where = (writer.label(function), name_of(function.op))
    inputs = [writer.values.get(net.resolve(each)) for each in _read_by(net, function)]
    name = name_of(function.op)
    try:
        if name == "GatherPacked" and (step := picks_one(net, function)) is not None and inputs[0] is not None:
            made = pick_one(writer, function, inputs[0], step)
        else:
            made = _convert(writer, function, inputs)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(
            f"its inputs or attributes are not those of the function: {type(error).__name__}: {error}",
            node=writer.label(function),
            op=name,
        ) from error
    writer.values[f"{function.uid}_Output_0"] = made


def _convert(writer: Writer, function: Function, inputs: list[Value | None]) -> Value:
    ready = [each for each in inputs if each is not None]
    if len(ready) < len(inputs):
        raise writer.bad(function, "it reads a value that nothing computes")
    if name_of(function.op) in DELAYS:
        return shift(writer, function, ready)
    return OPERATORS[name_of(function.op)].convert(writer, function, ready)


def _recur(writer: Writer, net: Net, part: list[str], order: list[list[str]], outputs: list[str]) -> None:
    """One circle of functions: in the order of a step, the delays standing at its beginning."""
    members = set(part)
    delays = {uid for uid in part if name_of(net.functions[uid].op) in DELAYS}

    def within(uid: str) -> list[str]:
        return [] if uid in delays else [each for each in _needs(net, uid) if each in members]

    steps = components(part, within)
    if any(len(each) > 1 for each in steps):
        first = net.functions[part[0]]
        raise writer.bad(first, "functions that need each other within one step")
    read = {net.resolve(each) for other in order if other is not part for uid in other for each in
            net.functions[uid].inputs} | set(outputs)  # fmt: skip
    wanted = {value for value in read if (maker := net.maker(value)) is not None and maker.uid in members}
    write_scan(
        writer, net, [uid for each in steps for uid in each], wanted, lambda body, each: _compute(body, net, each)
    )


def _declare(writer: Writer, uid: str, called: str, source: str) -> None:
    value = writer.values.get(uid)
    if value is None:
        raise Refused(f"the output {called!r} is not computed")
    graph = writer.graph
    name = value.name
    if name != called:
        name = graph.node("Identity", [name], graph.fresh(called), called)
    shape, dtype = graph.shape(name), graph.dtype(name)
    if shape is None or dtype is None:
        raise Refused(f"the rank of the output {called!r} cannot be told", "unsupported")
    names = (BATCH, _SEQUENCE)[: value.dynamic]
    dims = [dim if dim is not None else (names[at] if at < len(names) else f"{called}_{at}") for at, dim in
            enumerate(shape)]  # fmt: skip
    graph.output(name, np.dtype(dtype).name, dims, source=source)
