"""Which operators compute in a shorter float."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from .casts import FLOAT

# Sums and counters that run over a short float's range or its bits, and coordinates in pixels.
KEPT = frozenset({"CumSum", "NonMaxSuppression", "Range", "Resize", "RoiAlign", "TopK", "Upsample", "Multinomial"})
QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"})
CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})


def takes(node: ir.Node, short: ir.DataType, version: int) -> tuple[list[bool], list[bool]]:
    """Per input and output: whether the operator's schema allows `short` there. Custom operators: nowhere."""
    name = f"tensor({short.name.lower()})"
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return [False] * len(node.inputs), [False] * len(node.outputs)
    return (
        [name in _formal(schema.inputs, index).types for index in range(len(node.inputs))],
        [name in _formal(schema.outputs, index).types for index in range(len(node.outputs))],
    )


def _formal(ports: Any, index: int) -> Any:
    return ports[min(index, len(ports) - 1)]  # the last one is the variadic one, where there is one


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()


def retarget(node: ir.Node, short: ir.DataType) -> None:
    """Attributes that say "make float32"."""
    for name in ("to", "dtype"):
        if name in node.attributes and node.attributes[name].value == FLOAT.value:
            node.attributes[name] = ir.AttrInt64(name, short.value)
    value = node.attributes.get("value")
    if node.op_type == "ConstantOfShape" and (value is None or value.as_tensor().dtype == FLOAT):
        fill = np.zeros(1) if value is None else value.as_tensor().numpy()
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(fill.astype(short.numpy()), dtype=short))
