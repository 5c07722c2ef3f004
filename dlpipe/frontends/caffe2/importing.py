"""The import of a Caffe2 model: what it takes and gives, and its operators as ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit.ports import BATCH, read_labels
from ..kit.shaped import ShapedGraph
from .converter import Converter, FixedBatch, Mismatch
from .inputs import Input, describe_input, find_inputs
from .nets import Net, Operator, read_net
from .platform import cut_platform
from .resolution import resolutions
from .sizes import fitting_size, free_size
from .table import OPERATORS


def import_model(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    params = request.params
    net = read_net(Path(request.inputs["source"]), params["entry"])
    cut, instead = cut_platform(net, request)
    kept = [op for op in net.operators if op.index not in cut]
    _check_known(kept)
    names = find_inputs(net, cut)
    unknown = sorted(set(params["inputs"]) - set(names))
    if unknown:
        raise Refused(f"there is no input {unknown[0]!r}", hint=f"its inputs: {', '.join(names)}")
    weights = _filled_shapes(net)
    dims = dict(params["dims"])
    inputs = [describe_input(net, name, params["inputs"].get(name, {}), weights, cut).with_dims(dims) for name in names]
    wanted = _outputs(net, kept, instead, params["outputs"])
    converter, inputs = _sized(request, net, kept, inputs)
    metadata = {
        "framework": "caffe2",
        "files": net.files,
        "cut": sorted(cut),
    }
    resolution = resolutions(converter, kept, wanted)
    for name in wanted:
        _declare(converter, name)
    converter.graph.save(
        request.out,
        labels=read_labels(request.inputs["source"], params["entry"]),
        metadata={"caffe2": metadata, "resolution": resolution},
    )
    return {"operators": len(kept), "files": net.files, "inputs": [each.name for each in inputs]}


def _check_known(operators: Sequence[Operator]) -> None:
    """All that is missing is told at once."""
    missing = sorted({op.type for op in operators if op.type not in OPERATORS})
    if missing:
        first = next(op for op in operators if op.type in missing)
        these = f"the operators {', '.join(missing)} are" if len(missing) > 1 else f"the operator {missing[0]} is"
        raise Refused(f"{these} not converted", "unsupported", **first.where)


def _filled_shapes(net: Net) -> dict[str, list[int]]:
    """Value -> shape, of those that are filled in and say so."""
    shapes = {}
    for op in net.operators:
        if not op.inputs and len(op.outputs) == 1:
            shapes[op.outputs[0]] = op.args.integers("shape")
    return shapes


def _outputs(net: Net, kept: Sequence[Operator], instead: Mapping[str, str], chosen: Sequence[str]) -> list[str]:
    """Values that are given out: chosen by the user, declared by the net, or those that nothing reads."""
    made = {name for op in kept for name in op.outputs}
    if chosen:
        found = [net.last.get(name, name) for name in chosen]
        for name, value in zip(chosen, found, strict=True):
            if value not in made:
                raise Refused(f"nothing in the net computes {name!r}", hint="--output takes the name of a blob")
        return found
    declared = [net.last.get(name, name) for name in net.external_outputs]
    declared = [instead.get(name, name) for name in declared]
    computed = {name for op in kept if op.inputs for name in op.outputs}
    found = [name for name in dict.fromkeys(declared) if name in computed]
    if found:
        return found
    read = {name for op in kept for name in op.inputs}
    return [op.outputs[0] for op in kept if op.inputs and op.outputs and not read.intersection(op.outputs)]


def _sized(request: Request, net: Net, kept: Sequence[Operator], inputs: list[Input]) -> tuple[Converter, list[Input]]:
    """The net converted, with the size of the images and the batch found where the files leave no choice."""
    for _ in range(3):
        try:
            converter = _convert(net, kept, inputs)
            if any(each.guessed and {"D", "H", "W"} & set(each.shape) for each in inputs):
                inputs = free_size(request, inputs)
                converter = _convert(net, kept, inputs)
            return converter, inputs
        except FixedBatch as fixed:
            inputs = [each.with_dims({BATCH: fixed.size}) for each in inputs]
        except Mismatch:
            size = fitting_size(request, inputs, lambda tried: _convert(net, kept, tried, probing=True))
            inputs = [each.with_dims(dict.fromkeys("DHW", size)) if each.guessed else each for each in inputs]
    return _convert(net, kept, inputs), inputs


def _convert(net: Net, kept: Sequence[Operator], inputs: Sequence[Input], probing: bool = False) -> Converter:
    converter = Converter(ShapedGraph(net.name), probing=probing)
    fed = {each.name for each in inputs}
    for each in inputs:
        converter.values[each.name] = converter.graph.input(
            each.name, each.dtype, each.shape, source=each.name, layout=each.layout
        )
    for op in kept:
        if not op.inputs and op.outputs and op.outputs[0] in fed:
            continue  # the placeholder of an input
        converter.convert(op)
    return converter


def _declare(converter: Converter, name: str) -> None:
    """An output of the model, under the name of the blob. Dims that are not known get names."""
    value = converter.values.get(name)
    if value is None:
        raise Refused(f"the output {name!r} is not made by the conversion", "unsupported", hint="choose with --output")
    graph = converter.graph
    shape, dtype = graph.shape(value), graph.dtype(value)
    if shape is None or dtype is None:
        raise Refused(f"the rank of the output {name!r} cannot be told from the file", "unsupported")
    dims = [dim if dim is not None else f"{name}_{at}" for at, dim in enumerate(shape)]
    if value != name:
        value = graph.node("Identity", [value], graph.fresh(name), name)
    graph.output(value, dtype, dims, source=name)
