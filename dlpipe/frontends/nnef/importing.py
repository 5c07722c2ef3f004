"""graph.nnef and its tensors -> an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import ports
from ..kit.shaped import ShapedGraph
from .evaluating import Evaluator
from .packed import open_files
from .quantised import follow_quantisation
from .step import Absent, Tensor
from .syntax import Document, parse

OPSET = 19  # the first whose mean over a window may be dilated


def import_model(request: Request) -> dict[str, Any]:
    """See worker.py. Raises Refused, naming the operation and its result, for whatever has no exact counterpart."""
    params = request.params
    files = open_files(Path(request.inputs["source"]), params["entry"])
    document = parse(files.read(files.graph))
    asked = params.get("inputs") or {}
    unknown = sorted(set(asked) - {name for name, _ in document.graph.params})
    if unknown:
        known = ", ".join(name for name, _ in document.graph.params)
        raise Refused(f"the network has no input {unknown[0]!r}", hint=f"its inputs: {known}")
    graph = ShapedGraph(document.graph.name, OPSET)
    evaluator = Evaluator(document, graph, files, symbols(document, params.get("dims") or {}), asked)
    follow_quantisation(evaluator, document, files)
    values = evaluator.graph_values()
    _check_inputs(document, graph)
    for name in params.get("outputs") or document.graph.results:
        _declare(graph, name, values)
    labels = ports.read_labels(request.inputs["source"], params["entry"])
    contract = graph.save(request.out, labels=labels)
    return {"inputs": len(contract["inputs"]), "outputs": len(contract["outputs"]), "operators": evaluator.counts}


def symbols(document: Document, dims: dict[str, int]) -> dict[str, Any]:
    """Free dims: the names of tract's extension, or any that an `external` reads; sizes where the user gives them."""
    found: dict[str, Any] = {}
    for words in document.extensions:
        if words[0] == "tract_symbol":
            found.update({each: dims.get(each, each) for each in words[1:]})
        if words[0] == "tract_pulse_streaming_symbol":
            found["S"] = dims.get("S", "S")
    return found


def _check_inputs(document: Document, graph: ShapedGraph) -> None:
    declared, made = {name for name, _ in document.graph.params}, {each["name"] for each in graph.inputs}
    if declared != made:
        name = min(declared ^ made)
        reason = "is declared an input and no external" if name in declared else "is an external and no declared input"
        raise Refused(f"{name!r} {reason}", node=name, op="external")


def _declare(graph: ShapedGraph, name: str, values: dict[str, Any]) -> None:
    value = values.get(name)
    if isinstance(value, Absent):
        raise Refused(value.reason, "unsupported", node=name)
    if isinstance(value, bool | int | float):
        value = Tensor(graph.constant(np.asarray(value, np.float32), f"{name}_constant"))
    if not isinstance(value, Tensor):
        raise Refused(
            f"the network has no tensor {name!r}", hint=f"its last one is {list(values)[-1] if values else '-'}"
        )
    if value.name != name or graph.array(value.name) is not None or any(each["name"] == name for each in graph.inputs):
        # ONNX wants an output that is neither an input nor a weight.
        made = name if value.name != name else f"{name}_output"
        graph.node("Identity", [value.name], made if made == name else graph.fresh(made), name)
        name = made
    shape = graph.shape(name)
    dtype = graph.dtype(name)
    if shape is None or dtype is None:
        raise Refused(f"the shape of {name!r} cannot be told from the file", "unsupported", node=name)
    dims = [each if each is not None else f"{name}_dim{axis}" for axis, each in enumerate(shape)]
    graph.output(name, dtype, dims, name)
