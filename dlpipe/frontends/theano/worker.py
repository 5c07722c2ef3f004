"""Theano's and Lasagne's files -> ONNX, with neither of them: in the core toolchain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from ..kit import ports
from ..kit.emit import Graph


@operation
def import_(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, inputs, outputs, dims."""
    from . import arrays, unpickling

    path = Path(request.inputs["source"], request.params["entry"])
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
    value = None if packed else unpickling.read(path)
    if value is not None and holds_graph(value):
        from .graph_import import import_graph

        return import_graph(request, value)
    return _import_parameters(request, path, arrays.read(path))


def holds_graph(value: Any) -> bool:
    from .unpickling import Record

    if isinstance(value, Record):
        return True
    parts = value if isinstance(value, list | tuple) else ()
    return any(holds_graph(each) for each in parts)


def _import_parameters(request: Request, path: Path, parameters: list[Any]) -> dict[str, Any]:
    from . import description
    from .lasagne_builder import Builder
    from .lasagne_layers import build

    network = description.read(path)
    sizes = request.params.get("dims", {})
    graph = Graph(path.stem)
    shape = [sizes.get(ports.BATCH, ports.BATCH) if dim is None else dim for dim in network.shape]
    graph.input(description.INPUT, network.dtype, shape, source=description.INPUT)
    builder = Builder(network, parameters, graph)
    build(builder)
    for name in list(request.params.get("outputs", ())) or network.outputs:
        if name not in builder.values or name == description.INPUT:
            known = ", ".join(layer.name for layer in network.layers)
            raise Refused(f"no layer is called {name!r}; there are {known}", kind="unsupported")
        dims = [sizes.get(ports.BATCH, ports.BATCH) if dim is None else dim for dim in builder.values[name][1]]
        graph.output(name, network.float_dtype, dims, source=name)
    contract = graph.save(request.out, labels=ports.read_labels(request.inputs["source"], request.params["entry"]))
    return {"inputs": contract["inputs"], "outputs": contract["outputs"]}


# Of Theano's and Lasagne's documentation: what a network for inference can hold.
_OTHERS = (
    *("Scan", "IncSubtensor", "AdvancedIncSubtensor1", "AdvancedSubtensor", "SetSubtensor", "IfElse", "SortOp", "Eye"),
    *("LSTMLayer", "GRULayer", "RecurrentLayer", "CustomRecurrentLayer", "MaxoutLayer", "FeaturePoolLayer"),
    *("SpatialPyramidPoolingLayer", "TransformerLayer", "TPSTransformerLayer", "ExpressionLayer", "SliceLayer"),
    *("LocallyConnected2DLayer", "TransposedConv3DLayer", "FeatureWTALayer"),
)


@operation
def operators(request: Request) -> dict[str, Any]:
    """Which operators of a graph, and which layers of Lasagne's, are covered."""
    from . import graph_operators, lasagne_layers

    del request
    known = [*graph_operators.HANDLERS, *lasagne_layers.HANDLERS]
    found: dict[str, Any] = {name: {"support": "none", "note": None} for name in _OTHERS}
    found.update({name: {"support": "full", "note": None} for name in known})
    return {"operators": found, "source": "operators of Theano's graphs, and Lasagne's layers, for inference"}
