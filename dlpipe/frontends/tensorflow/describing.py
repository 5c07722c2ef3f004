"""What a TensorFlow model is, for `dlpipe inspect`."""

from collections import Counter
from math import prod
from typing import Any

from dlpipe_worker import Request

from .graphs import Index, split
from .loading import load
from .original import import_graph

_WEIGHTS_AT = 1  # the input of a layer's operator that holds its weights


def describe(request: Request) -> dict[str, Any]:
    """source -> inputs, outputs, operators, parameters, multiply-accumulates, and who wrote the file."""
    loaded = load(request.inputs["source"], request.params)
    graph = import_graph(loaded.graph)
    index = Index(loaded.graph)
    needed = index.ancestors(split(name)[0] for name in loaded.outputs)
    nodes = [node for node in loaded.graph.node if node.name in needed]
    macs = [_macs(graph.get_operation_by_name(node.name)) for node in nodes]
    return {
        "inputs": [_port(graph, tensor, name) for tensor, (name, _) in loaded.inputs.items()],
        "outputs": [_port(graph, tensor, name) for tensor, (name, _) in loaded.outputs.items()],
        "operators": dict(sorted(Counter(node.op for node in nodes).items())),
        "parameters": sum(_floats(node) for node in nodes),
        "macs": None if None in macs else sum(each for each in macs if each is not None),
        "macs_reason": "the shapes of some layers are not known without running the model" if None in macs else None,
        "producer": loaded.graph.versions.producer or None,
        "settings": {each.tensor: each.value for each in loaded.settings},
    }


def _port(graph: Any, tensor: str, name: str) -> dict[str, Any]:
    value = graph.get_tensor_by_name(tensor)
    shape = value.shape.as_list() if value.shape.rank is not None else None
    return {"name": name, "source": tensor, "dtype": value.dtype.name, "shape": shape}


def _floats(node: Any) -> int:
    """Elements of a constant of real numbers; whole numbers are shapes and indices, not weights."""
    from tensorflow.python.framework import dtypes

    if node.op != "Const" or not dtypes.as_dtype(node.attr["dtype"].type).is_floating:
        return 0
    return prod(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim)


def _macs(operation: Any) -> int | None:
    """Multiply-accumulates of a layer for one sample; None where its shapes are not known.

    Each element of the output is a sum over the weights that reach it: all but the output channels'.
    """
    kind = operation.type
    if kind not in ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul"):
        return 0
    weights, result = operation.inputs[_WEIGHTS_AT].shape, operation.outputs[0].shape
    if weights.rank is None or result.rank is None:
        return None
    kernel, made = weights.as_list(), result.as_list()[1:]
    if None in made or None in kernel:
        return None
    if kind == "MatMul":
        return int(prod(kernel))
    if kind == "DepthwiseConv2dNative":
        return int(prod(made) * prod(kernel[:-2]))
    return int(prod(made) * prod(kernel[:-1]))
