"""float16 inside, float32 outside."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from .infra import GraphPass, Rewritten, Work, opset

_LARGEST = float(np.finfo(np.float16).max)
_SMALLEST = float(np.finfo(np.float16).smallest_subnormal)
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
_HALF_NAME = "tensor(float16)"
# Sums and counters that run over float16's range or its 11 bits, and coordinates in pixels.
_KEPT = frozenset({"CumSum", "NonMaxSuppression", "Range", "Resize", "RoiAlign", "TopK", "Upsample", "Multinomial"})
_QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"})
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})


class HalfPrecision(GraphPass):
    """Compute and store in float16; inputs and outputs stay float32.

        x(f32) -> Conv(W f32) -> Relu -> y(f32)
        becomes
        x(f32) -> Cast(f16) -> Conv(W f16) -> Relu -> Cast(f32) -> y(f32)

    Requires a float32 model (no quantisers). Whether an operator takes float16 is read from its ONNX schema; what
    does not, and what params["keep"] names (nodes or operators), computes in float32 between Casts. Weights
    beyond +-65504 are clamped and counted. Ensures that no float32 weight is left but those kept. Lossy: relative
    error about 1e-3 per operation. The algorithm is our own; that of onnxconverter-common works from fixed lists.
    """

    def __init__(self) -> None:
        self._keep: frozenset[str] = frozenset()
        self._clamped = 0
        self._flushed = 0
        self._left: list[str] = []
        self._main: ir.Graph | None = None

    def requires(self, model: ir.Model) -> None:
        for node in model.graph.all_nodes():
            if node.op_type in _QUANTISERS:
                raise Refused(
                    "a quantised model is not converted to fp16", kind="unsupported", node=node.name, op=node.op_type
                )

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        self._keep = frozenset(work.params["keep"])
        if model.functions:
            common.InlinePass()(model)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        model.graph.sort()
        self._main = model.graph
        converted = self._graph(model.graph, opset(model))
        self._ports(model.graph)
        _drop_pairs(model)
        if self._clamped:
            work.note(
                f"{self._clamped} weights were beyond float16's +-{_LARGEST:.0f} and are clamped", level="warning"
            )
        changes = [f"{converted} nodes and {len(model.graph.initializers)} weights in float16"] if converted else []
        details = {"left_float": sorted(self._left), "clamped": self._clamped, "flushed_to_zero": self._flushed}
        return Rewritten(model, changes, details)

    def _graph(self, graph: ir.Graph, version: int) -> int:
        """Weights, then every node: float values become half values. Returns how many nodes compute in half."""
        converted = 0
        for value in list(graph.initializers.values()):
            self._store(value)
        for node in list(graph):
            for body in _bodies(node):
                converted += self._graph(body, version)
                for value in (*body.inputs, *body.outputs):
                    _make_half(value)
            converted += self._node(node, version)
        return converted

    def _store(self, value: ir.Value) -> None:
        if value.const_value is None or value.const_value.dtype != _FLOAT:
            return
        array = value.const_value.numpy()
        finite = np.isfinite(array)
        self._clamped += int(np.count_nonzero(finite & (np.abs(array) > _LARGEST)))
        self._flushed += int(np.count_nonzero((array != 0) & (np.abs(array) < _SMALLEST / 2)))
        half = np.where(finite, np.clip(array, -_LARGEST, _LARGEST), array).astype(np.float16)
        value.const_value = ir.tensor(half, name=value.name)
        value.dtype = _HALF

    def _node(self, node: ir.Node, version: int) -> int:
        """Returns 1 if the node computes in half."""
        if node.op_type in _CONTROL_FLOW and node.domain == "":
            for value in node.outputs:
                _make_half(value)
            return 0
        kept = node.op_type in _KEPT or bool(self._keep & {node.name, node.op_type})
        inputs, outputs = _takes_half(node, version)
        if not kept:
            _retarget(node)
        touched = False
        for index, value in enumerate(node.inputs):
            if value is not None and value.dtype in (_FLOAT, _HALF):
                touched = True
                if kept or not inputs[index]:
                    node.replace_input_with(index, _cast_before(node, value, _FLOAT))
        for index, value in enumerate(node.outputs):
            if value.dtype != _FLOAT:
                continue
            touched = True
            if kept or not outputs[index]:
                _cast_after(node, value, nested=node.graph is not self._main)
            else:
                value.dtype = _HALF
        in_half = touched and not kept and (any(inputs) or any(outputs))
        if touched and not in_half:
            self._left.append(f"{node.name} ({node.op_type})")
        return int(in_half)

    def _ports(self, graph: ir.Graph) -> None:
        """Casts at the inputs and outputs, whose names and types stay."""
        for value in graph.inputs:
            if value.dtype == _FLOAT and not value.is_initializer() and value.uses():
                uses = tuple(value.uses())
                cast = _cast(value, _HALF, f"{value.name}/half")
                first = next(iter(graph), None)
                assert first is not None
                first.prepend(cast)
                for node, index in uses:
                    node.replace_input_with(index, cast.outputs[0])
        for position, value in enumerate(list(graph.outputs)):
            if value.dtype == _HALF:
                name = value.name
                value.name = f"{name}/half"
                cast = _cast(value, _FLOAT, str(name))
                graph.append(cast)
                graph.outputs[position] = cast.outputs[0]


def _bodies(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()


def _make_half(value: ir.Value) -> None:
    if isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        raise Refused(f"{value.name!r} is a sequence: fp16 is not made of these", kind="unsupported")
    if value.dtype == _FLOAT:
        value.dtype = _HALF


def _takes_half(node: ir.Node, version: int) -> tuple[list[bool], list[bool]]:
    """Per input and output: whether the operator's schema allows float16 there. Custom operators: nowhere."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return [False] * len(node.inputs), [False] * len(node.outputs)
    return (
        [_HALF_NAME in _formal(schema.inputs, index).types for index in range(len(node.inputs))],
        [_HALF_NAME in _formal(schema.outputs, index).types for index in range(len(node.outputs))],
    )


def _formal(ports: Any, index: int) -> Any:
    return ports[min(index, len(ports) - 1)]  # the last one is the variadic one, where there is one


def _retarget(node: ir.Node) -> None:
    """Attributes that say "make float32"."""
    for name in ("to", "dtype"):
        if name in node.attributes and node.attributes[name].value == _FLOAT.value:
            node.attributes[name] = ir.AttrInt64(name, _HALF.value)
    value = node.attributes.get("value")
    if node.op_type == "ConstantOfShape" and (value is None or value.as_tensor().dtype == _FLOAT):
        fill = np.zeros(1) if value is None else value.as_tensor().numpy()
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(fill.astype(np.float16)))


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.Node("", "Cast", [value], [ir.AttrInt64("to", to.value)], name=f"{name}/cast")
    node.outputs[0].name, node.outputs[0].shape = name, value.shape
    node.outputs[0].type = ir.TensorType(to)
    return node


def _cast_before(node: ir.Node, value: ir.Value, to: ir.DataType) -> ir.Value:
    cast = _cast(value, to, f"{value.name}/float/{node.name}")
    node.prepend(cast)
    return cast.outputs[0]


def _cast_after(node: ir.Node, value: ir.Value, *, nested: bool) -> None:
    """Whoever read the float output reads its half from now on. An output of the main graph keeps the float; one of
    a nested graph goes on into half."""
    uses = tuple(value.uses())
    graph = node.graph
    assert graph is not None
    leaves_at = [i for i, output in enumerate(graph.outputs) if nested and output is value]
    if not uses and not leaves_at:
        return
    cast = _cast(value, _HALF, f"{value.name}/half")
    node.append(cast)
    for position in leaves_at:
        graph.outputs[position] = cast.outputs[0]
    for user, index in uses:
        user.replace_input_with(index, cast.outputs[0])


def _drop_pairs(model: ir.Model) -> None:
    """f32 -> Cast(f16) -> Cast(f32) is f32, between two nodes that were kept."""
    for node in list(model.graph.all_nodes()):
        source = node.inputs[0] if node.op_type == "Cast" and node.inputs else None
        above = source.producer() if source is not None else None
        if above is None or above.op_type != "Cast" or node.graph is None or node.outputs[0].is_graph_output():
            continue
        first = above.inputs[0]
        if first is None or source is None or source.dtype != _HALF:
            continue
        if first.dtype == _FLOAT and node.outputs[0].dtype == _FLOAT:
            node.outputs[0].replace_all_uses_with(first)
    common.RemoveUnusedNodesPass()(model)
