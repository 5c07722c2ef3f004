"""A .param and its .bin -> an ONNX graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit import ports
from ..kit.shaped import ShapedGraph
from .inputs import input_shape
from .layers import load_handlers
from .param import Layer, read_param
from .step import HANDLERS, HINTS, Step
from .weights import Weights, find_weights

# Their rows count over the whole blob, or they make values that have no batch.
_ONE_AT_A_TIME = {"MemoryData"}
_LAYOUTS = {1: None, 2: None, 3: "NCHW", 4: "NCDHW"}


def import_model(request: Request) -> dict[str, Any]:
    """See worker.py. Raises Refused, naming the layer, for whatever has no exact counterpart."""
    source, params = Path(request.inputs["source"]), request.params
    load_handlers()
    layers = read_param(source / params["entry"])
    weights = Weights(find_weights(source, params["entry"]))
    asked = list(params.get("outputs") or [])
    needed, whole = _needed(layers, asked)
    batch = (params.get("dims") or {}).get(ports.BATCH, ports.BATCH)
    if any(each.type in _ONE_AT_A_TIME for each in needed):
        batch = 1
    graph = ShapedGraph("ncnn")
    for each in layers:
        for blob in each.tops:
            if each.type != "Input":
                graph.fresh(blob)
    values: dict[str, str] = {}
    free: dict[str, int] = {}
    _check_asked(layers, params.get("inputs") or {})
    for each in needed:
        if each.type == "Input":
            shape, sizes = input_shape(each, layers, params)
            free.update(sizes)
            blob = each.tops[0]
            values[blob] = graph.input(blob, "float32", [batch, *shape], blob, _LAYOUTS[len(shape)])
        else:
            _convert(Step(graph, each, weights, values, batch))
    if whole:
        weights.finish()
    outputs = asked or _outputs(layers)
    _declare(graph, outputs, values, batch)
    labels = ports.read_labels(request.inputs["source"], params["entry"])
    contract = graph.save(request.out, labels=labels, metadata={"example_dims": free} if free else None)
    operators: dict[str, int] = {}
    for each in needed:
        operators[each.type] = operators.get(each.type, 0) + 1
    return {"inputs": len(contract["inputs"]), "outputs": len(contract["outputs"]), "operators": operators}


def _check_asked(layers: list[Layer], asked: Any) -> None:
    known = [each.tops[0] for each in layers if each.type == "Input" and each.tops]
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise Refused(f"the network has no input {unknown[0]!r}", hint=f"its inputs: {', '.join(known[:8])}")


def _needed(layers: list[Layer], asked: list[str]) -> tuple[list[Layer], bool]:
    """The layers up to the last one that is asked for (weights have no names: all before it are read), and whether
    those are all."""
    made = {blob: index for index, each in enumerate(layers) for blob in each.tops}
    for name in asked:
        if name not in made:
            raise Refused(f"the network has no blob {name!r}", hint=f"its last one is {layers[-1].tops[-1:]}")
    last = max((made[name] for name in asked), default=len(layers) - 1)
    return layers[: last + 1], last == len(layers) - 1


def _outputs(layers: list[Layer]) -> list[str]:
    """Blobs that no layer reads; those that pnnx numbered (out0, out1, ...) in that order."""
    read = {blob for each in layers for blob in each.bottoms}
    found = [blob for each in layers if each.type != "Input" for blob in each.tops if blob not in read]
    if all(re.fullmatch(r"out\d{1,6}", blob) for blob in found):
        found.sort(key=lambda blob: int(blob[3:]))
    return found


def _convert(step: Step) -> None:
    layer = step.layer
    handler = HANDLERS.get(layer.type)
    if handler is None:
        before = [blob for blob in layer.bottoms if not blob.startswith("splitncnn")]
        hint = f"to end before it: {' '.join(f'--output {blob}' for blob in before[:6])}" if before else None
        step.unsupported("dlpipe does not convert this layer", hint)
    handler(step)
    unknown = sorted(set(layer.params) - layer.asked - HINTS)
    if unknown:
        step.unsupported(f"it has the parameter {unknown[0]}={layer.params[unknown[0]]}, which dlpipe does not know")
    for blob in layer.tops:
        if blob not in step.values:
            step.fail(f"what becomes of its blob {blob!r} is not known", "unsupported")
        shape = step.graph.shape(step.values[blob])
        if shape is None or len(shape) < 2 or any(isinstance(dim, int) and dim < 1 for dim in shape):
            step.fail(f"its blob {blob!r} would have the shape {shape}: what it is given is too small")


def _declare(graph: ShapedGraph, outputs: list[str], values: dict[str, str], batch: Any) -> None:
    inputs = {each["name"] for each in graph.inputs}
    for blob in outputs:
        value = values[blob]
        if value != blob or value in inputs:
            value = graph.node("Identity", [value], blob if blob not in inputs else None, f"output {blob}")
        shape = list(graph.shape(value) or ())
        dims = [dim if dim is not None else f"{blob}_{index}" for index, dim in enumerate(shape)]
        graph.output(value, "float32", [batch, *dims[1:]], blob, _LAYOUTS.get(len(shape) - 1))
