"""Types and shapes of intermediate values."""

import re
from collections.abc import Iterator
from typing import Any

import onnx
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes.common import ShapeInferencePass

from .stored import weights_apart

_READ = 1024  # bytes from which a weight is none that decides a shape
_NODE_NAME = re.compile(r"node name: ([^)\s]*)\)")


def infer(model: ir.Model) -> None:
    """Annotates values in place, as far as ONNX's inference gets."""
    if any(_is_container(value) for value in _made(model)):
        _annotate(model)
    else:
        ShapeInferencePass(check_type=True, data_prop=True)(model)


def refuse_contradictions(model: ir.Model, what: str) -> None:
    """Raise Refused, with the node named, where types or shapes contradict each other. `what`: what the model is."""
    with weights_apart(model, least=_READ):
        proto = ir.to_proto(model)
    for graph in _graphs(proto.graph):
        del graph.value_info[:]
    try:
        onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        said = str(error).strip().split("\n")[0]
        node = _NODE_NAME.search(said)
        raise Refused(
            f"{what} contradicts itself: {said.rpartition('[ShapeInferenceError]')[2].strip()[:300] or said[:300]}",
            kind="unsupported",
            node=node.group(1) if node else None,
        ) from error


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(body)


def _made(model: ir.Model) -> Any:
    yield from model.graph.inputs
    for node in model.graph.all_nodes():
        yield from node.outputs


def _is_container(value: ir.Value) -> bool:
    """A sequence or an optional, or perhaps made from some."""
    producer = value.producer()
    named = producer is not None and ("Sequence" in producer.op_type or "Optional" in producer.op_type)
    return named or not isinstance(value.type, ir.TensorType | None)


def _annotate(model: ir.Model) -> None:
    """As the pass does it; but that takes the type of every inferred value for a tensor's."""
    try:
        inferred = ir.from_proto(onnx.shape_inference.infer_shapes(ir.to_proto(model), check_type=True, data_prop=True))
    except onnx.shape_inference.InferenceError:
        return
    for graph, other in zip(model.graphs(), inferred.graphs(), strict=True):
        known = ir.convenience.create_value_mapping(other)
        for name, value in ir.convenience.create_value_mapping(graph).items():
            if name in known and known[name].type is not None:
                value.type, value.shape = known[name].type, known[name].shape
