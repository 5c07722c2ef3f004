"""Which stored tensors of a graph are weights, read from it and written back into it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

# Inputs of an operator that hold weights; statistics of a batch norm are not among them.
_PLACES: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Einsum": (0, 1, 2, 3),
    "GRU": (1, 2, 3),
    "Gather": (0,),
    "Gemm": (0, 1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
_MOVED_BY = frozenset({"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Expand"})
_SCALED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "Mul", "Div", "Sub", "Add"}) | {
    name for name in _PLACES if name.endswith("Normalization")
}


def stored(model: ir.Model) -> Iterator[tuple[ir.Value, Any]]:
    """(value, its tensor) of initializers and of Constant nodes that hold one, in the order of the graph."""
    for value in model.graph.initializers.values():
        if not value.is_graph_input() and value.const_value is not None:
            yield value, value.const_value
    for node in model.graph:
        if node.op_type == "Constant" and node.domain == "" and "value" in node.attributes:
            yield node.outputs[0], node.attributes["value"].value


def is_weight(value: ir.Value, tensor: Any) -> bool:
    """Floats that an operator multiplies or adds as learned parameters. Not: constants of arithmetic (single numbers,
    grids, masks, what normalises an input), bounds, scales of quantisation."""
    return tensor.dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE) and tensor.size > 0 and _learned(value, 0)


def statistics(model: ir.Model) -> set[str]:
    """Names of stored means and variances of batch norms."""
    norms = [node for node in model.graph if node.op_type == "BatchNormalization"]
    return {value.name for node in norms for value in node.inputs[3:5] if value is not None and value.name}


def write(model: ir.Model, arrays: dict[str, Any]) -> list[str]:
    """Put arrays in place of what is stored under these names, in place. Returns the names whose bytes differ now."""
    changed = []
    for value, old in list(stored(model)):
        if value.name not in arrays:
            continue
        array = np.array(arrays[value.name], dtype=old.numpy().dtype, order="C")
        assert array.shape == tuple(old.shape), value.name
        if array.tobytes() == old.numpy().tobytes():
            continue
        tensor = ir.Tensor(array, name=old.name, dtype=old.dtype, doc_string=old.doc_string)
        made = value.producer()
        if made is None:
            value.const_value = tensor
        else:
            made.attributes["value"] = ir.Attr("value", ir.AttributeType.TENSOR, tensor)
        changed.append(value.name)
    return changed


def read(tensor: Any) -> Any:
    """The torch tensor of a stored one, on the CPU, in memory of its own."""
    return torch.from_numpy(np.array(tensor.numpy()))


def _learned(value: ir.Value, depth: int) -> bool:
    for node, index in value.uses():
        if node.domain not in ("", "ai.onnx"):
            continue
        if index in _PLACES.get(node.op_type, ()):
            return True
        if node.op_type in ("Add", "Mul") and _is_vector(value) and _is_computed(node.inputs[1 - index]):
            return True
        if node.op_type in _MOVED_BY and index == 0 and depth < 8 and _learned(node.outputs[0], depth + 1):
            return True
    return False


def _is_vector(value: ir.Value) -> bool:
    """One number for each channel: what is added to or multiplied with a layer's result. Nothing else is sure to be
    learned: grids, anchors and masks are constants of more axes."""
    sizes = [size for size in value.shape or () if size != 1]
    return len(sizes) == 1


def _is_computed(other: ir.Value | None) -> bool:
    """By a layer, perhaps reshaped since: what is added to an input as it is fed only normalises it."""
    made = other.producer() if other is not None else None
    while made is not None and made.op_type in _MOVED_BY:
        made = made.inputs[0].producer() if made.inputs[0] is not None else None
    return made is not None and made.op_type in _SCALED
