"""Types and shapes of intermediate values."""

from typing import Any

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass


def infer(model: ir.Model) -> None:
    """Annotates values in place, as far as ONNX's inference gets."""
    if any(_is_container(value) for value in _made(model)):
        _annotate(model)
    else:
        ShapeInferencePass(check_type=True, data_prop=True)(model)


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
