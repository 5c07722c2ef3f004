"""From a model as it was given to an ONNX model and its I/O contract: the steps of `import_`, in order."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from . import silence
from .boundary import Boundary, find_boundary
from .convert import finish, set_shape, to_onnx
from .graphs import Graph, Index, canonical, extract, placeholder, split
from .loading import Loaded, load
from .loops import counted
from .original import import_graph, open_graph
from .ports import BATCH, Port, dtype_name, input_shape, option_for, output_shape, settle, simple_names

PREPROCESS_FILE = "preprocess.pb"
LABELS_FILE = "labels.txt"
SECONDS_PER_TRIAL = 20


def import_model(request: Request) -> dict[str, Any]:
    request.progress("reading the graph")
    return import_loaded(request, load(request.inputs["source"], request.params))


def import_loaded(request: Request, loaded: Loaded) -> dict[str, Any]:
    """Writes model.onnx, contract.json and, when something was cut, preprocess.pb. Returns a summary of the ports.

    For every frontend whose models become a TensorFlow graph. params: entry, inputs, dims, opset.
    """
    params, out = request.params, Path(request.out)
    if not loaded.outputs:
        raise Refused("the graph has no output: nothing in it depends on an input", hint="name one with --output")
    graph = _fold_settings(loaded, request)
    inferred = import_graph(graph)
    cut = find_boundary(graph, inferred, list(loaded.inputs), list(loaded.outputs))
    leaving: dict[str, list[int]] = {}
    preprocessing = []
    if cut is not None:
        above, leaving = _cut_off(graph, cut, inferred)
        preprocessing.append(_describe_cut(cut, leaving))
        request.note(preprocessing[0]["summary"])
        (out / PREPROCESS_FILE).write_bytes(above.SerializeToString(deterministic=True))
    inputs = _inputs(loaded, graph, inferred, cut, leaving, params)
    outputs = [
        Port(name, tensor, source, dtype_name(inferred.get_tensor_by_name(tensor)), [])
        for tensor, (name, source) in loaded.outputs.items()
    ]
    body, fed = _fit(graph, inferred, inputs, outputs, request)
    request.progress("converting", 0.3)
    results = {port.name: fed.get(port.tensor, port.tensor) for port in outputs}
    model = to_onnx(body, {port.name: fed[port.tensor] for port in inputs}, results, params.get("opset", 18))
    for loop, steps in counted(model.graph).items():
        request.note(f"the loop {loop} always takes {steps} steps", node=loop)
    taken = {value.name for value in model.graph.input}
    inputs = [port for port in inputs if port.name in taken]
    for port, value in zip([*inputs, *outputs], [*model.graph.input, *model.graph.output], strict=True):
        set_shape(value, port.shape)
    request.progress("checking", 0.8)
    finish(model, out / "model.onnx")
    contract = {
        "version": "dlpipe.io/1",
        "inputs": [port.as_json() for port in inputs],
        "outputs": [port.as_json() for port in outputs],
        "preprocessing": preprocessing,
        "labels": read_labels(request.inputs["source"], params["entry"]),
        "metadata": {
            "settings": {loaded.switches[each.tensor]: each.value for each in loaded.settings},
            "file_input": loaded.inputs.get(cut.feeds, ("", cut.feeds))[1] if cut is not None else None,
        },
    }
    text = json.dumps(contract, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    (out / "contract.json").write_text(text, encoding="utf-8")
    return {"inputs": contract["inputs"], "outputs": contract["outputs"], "preprocessing": preprocessing}


def read_labels(folder: str, entry: str) -> list[str]:
    """One class name a line, from `labels.txt` beside the model. No such file: no labels."""
    model = Path(folder) / entry
    path = (model if model.is_dir() else model.parent) / LABELS_FILE
    if not path.is_file():
        return []
    return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _fold_settings(loaded: Loaded, request: Request) -> Graph:
    """Replace the switches of training by what they are at inference."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.core.framework import node_def_pb2

    if not loaded.settings:
        return loaded.graph
    index = Index(loaded.graph)
    constants = {}
    for each in loaded.settings:
        name = split(each.tensor)[0]
        dtype = index.nodes[name].attr["dtype"].type
        node = node_def_pb2.NodeDef(name=name, op="Const")
        node.attr["dtype"].type = dtype
        value = np.array(each.value, tf.dtypes.as_dtype(dtype).as_numpy_dtype)
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        constants[each.tensor] = node
        request.note(f"input {name} is fixed to {each.value}: {each.why}", node=name)
    return extract(loaded.graph, constants, loaded.outputs)[0]


def _cut_off(graph: Graph, cut: Boundary, inferred: Any) -> tuple[Graph, dict[str, list[int]]]:
    """The part above the cut, and the shapes that leave it: inferred, or learnt by running it on a generated file."""
    above, _ = extract(graph, {}, [*cut.tensors, cut.feeds])
    shapes = {name: inferred.get_tensor_by_name(name).shape for name in cut.tensors}
    unknown = [name for name, shape in shapes.items() if not shape.is_fully_defined()]
    learnt: list[Any] = []
    if unknown:
        with open_graph(above) as runnable:
            learnt = runnable.run(unknown, {cut.feeds: silence.example(cut.accepts)})
    known = {name: list(value.shape) for name, value in zip(unknown, learnt, strict=True)}
    return above, {name: known.get(name) or shapes[name].as_list() for name in cut.tensors}


def _describe_cut(cut: Boundary, leaving: Mapping[str, list[int]]) -> dict[str, Any]:
    count = len(cut.operators)
    where = ", ".join(f"{name} {leaving[name]}" for name in cut.tensors)
    what = f"{count} {cut.kind} operator{'' if count == 1 else 's'} ({', '.join(cut.operators)})"
    return {
        "kind": "frontend-subgraph",
        "frontend": "tensorflow",
        "file": PREPROCESS_FILE,
        "feeds": cut.feeds,
        "accepts": cut.accepts,
        "operators": list(cut.operators),
        "summary": f"cut {what} at {where}: kept as executable preprocessing in TensorFlow",
    }


def _inputs(
    loaded: Loaded,
    graph: Graph,
    inferred: Any,
    cut: Boundary | None,
    leaving: Mapping[str, list[int]],
    params: Mapping[str, Any],
) -> list[Port]:
    """Where the ONNX model begins: at the cut, and at those of the model's inputs that are read below it."""
    index = Index(graph)
    crossing = cut.tensors if cut is not None else ()
    below = index.ancestors((split(name)[0] for name in loaded.outputs), stop=[*crossing, *loaded.inputs])
    read = {canonical(each) for name in below for each in index.nodes[name].input} | set(loaded.outputs)
    names = {name: loaded.inputs[name] for name in loaded.inputs if name in read and name not in crossing}
    names.update({name: (simple, name) for name, simple in simple_names(crossing).items()})
    ports = []
    for tensor, (name, source) in names.items():
        value = inferred.get_tensor_by_name(tensor)
        shape = input_shape(name, value, option_for(params.get("inputs", {}), name, tensor), leaving.get(tensor))
        ports.append(Port(name, tensor, source, dtype_name(value), shape))
    settle(ports, params.get("dims", {}))
    if not ports:
        raise Refused("the graph has no input that its outputs depend on", hint="name one with --input")
    return ports


def _fit(
    graph: Graph, inferred: Any, inputs: list[Port], outputs: list[Port], request: Request
) -> tuple[Graph, dict[str, str]]:
    """The graph from the inputs on, and the shapes of its outputs, found by running it where only the batch is free.

    A graph that runs with one batch size only gets that size.
    """
    body, fed = _body(graph, inferred, inputs, outputs)
    free = {dim for port in inputs for dim in port.shape if isinstance(dim, str)}
    shapes: dict[int, list[list[int]]] = {}
    if free <= {BATCH}:
        with open_graph(body) as runnable:
            try:
                shapes[1] = _try(runnable, inputs, outputs, fed, 1)
            except Refused:
                shapes = {}  # it does not take, or never ends with, made-up values: what TensorFlow infers must do
            if free and shapes:
                try:
                    shapes[2] = _try(runnable, inputs, outputs, fed, 2)
                except Refused:
                    request.note("the graph takes only one sample at a time: the batch is fixed to 1")
                    settle(inputs, {BATCH: 1})
                    body, fed = _body(graph, inferred, inputs, outputs)
    for position, port in enumerate(outputs):
        static = inferred.get_tensor_by_name(port.tensor).shape
        seen = {batch: each[position] for batch, each in shapes.items()}
        port.shape = output_shape(port.name, seen, static.as_list() if static.rank is not None else None)
    return body, fed


def _body(graph: Graph, inferred: Any, inputs: list[Port], outputs: list[Port]) -> tuple[Graph, dict[str, str]]:
    nodes = {}
    for port in inputs:
        dtype = inferred.get_tensor_by_name(port.tensor).dtype.as_datatype_enum
        shape = [dim if isinstance(dim, int) else None for dim in port.shape]
        nodes[port.tensor] = placeholder(port.name, dtype, shape)
    return extract(graph, nodes, [port.tensor for port in outputs])


def _try(runnable: Any, inputs: list[Port], outputs: list[Port], fed: Mapping[str, str], batch: int) -> list[list[int]]:
    """The outputs' shapes for one batch size. Raises Refused where the graph does not take it.

    Fed with ones, and zeros for whole numbers, which may be indices; a loop that waits for a sum to grow ends on these.
    """
    import numpy as np

    feeds = {}
    for port in inputs:
        shape = [dim if isinstance(dim, int) else batch for dim in port.shape]
        dtype = runnable.graph.get_tensor_by_name(fed[port.tensor]).dtype.as_numpy_dtype
        feeds[fed[port.tensor]] = (np.zeros if "int" in port.dtype else np.ones)(shape, dtype)
    results = runnable.run([fed.get(port.tensor, port.tensor) for port in outputs], feeds, SECONDS_PER_TRIAL)
    return [list(value.shape) for value in results]
