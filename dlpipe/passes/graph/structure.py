"""What tells two models apart."""

import hashlib
from typing import Any

import onnx_ir as ir

from .stored import Stored, weights_apart


def structure(model: ir.Model) -> str:
    """A digest of everything but the shapes of intermediate values, which are only annotations, and the order of the
    weights, which has no meaning. Of this process only: a weight in a file stands for its place there."""
    with weights_apart(model, _content):
        proto = ir.to_proto(model)
    _reduce(proto.graph)
    for port in (*proto.graph.input, *proto.graph.output):
        _forget_shape(port.type)
    return hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()


def _content(tensor: Any) -> str:
    if isinstance(tensor, Stored):
        return repr(tensor.place)
    if isinstance(tensor, ir.LazyTensor):  # what is computed when it is written is new
        return f"lazy {id(tensor)}"
    if tensor.dtype == ir.DataType.STRING:
        return hashlib.sha256(repr(list(tensor.string_data())).encode()).hexdigest()
    return hashlib.sha256(tensor.tobytes()).hexdigest()


def _forget_shape(kind: Any) -> None:
    for name in ("tensor_type", "sparse_tensor_type"):
        if kind.HasField(name):
            getattr(kind, name).ClearField("shape")
    for name in ("sequence_type", "optional_type"):
        if kind.HasField(name):
            _forget_shape(getattr(kind, name).elem_type)


def _reduce(graph: Any) -> None:
    del graph.value_info[:]
    weights = sorted(graph.initializer, key=lambda tensor: str(tensor.name))
    del graph.initializer[:]
    graph.initializer.extend(weights)
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _reduce(body)
                for port in (*body.input, *body.output):
                    port.ClearField("type")
