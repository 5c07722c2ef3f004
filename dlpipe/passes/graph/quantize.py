"""Static int8 in QDQ form."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from . import ranges
from .calibrate import calibrate
from .infra import GraphPass, Rewritten, Work, opset

_PER_CHANNEL_OPSET = 13  # since which DequantizeLinear has an axis
METHODS = ("minmax", "percentile", "mse")
_TYPES = {"uint8": onnx.TensorProto.UINT8, "int8": onnx.TensorProto.INT8}
# They lose most to 256 steps: a probability, a statistic, a position.
_NEVER = frozenset(
    {"ArgMax", "BatchNormalization", "CumSum", "EmbedLayerNormalization", "Gather", "GatherElements"}
) | {
    "InstanceNormalization",
    "LayerNormalization",
    "Softmax",
    "TopK",
}
_HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Scan", "Loop", "If"})


class QuantizeInt8(GraphPass):
    """Weights in int8 per channel, activations in 8 bits per tensor with calibrated ranges, biases in int32.

        x -> Conv(W, b) -> Relu -> y
        becomes
        x -> Q -> DQ -> Conv(DQ(W8), DQ(b32)) -> Relu -> Q -> DQ -> y

    Requires samples and a float model. Ensures that there is a quantised node. Lossy: the tolerance is that of int8
    in the report. Left in float: softmax, normalisations, recurrent operators and nested graphs (ORT has no integer
    kernels for them), and what params["exclude"] names; with params["only"] just those operators are quantised.
    The nodes are inserted by onnxruntime.quantization; ranges come from our own calibrator, since the stock one keeps
    every activation. Source: Jacob et al. 2018; the methods are in `ranges.py`.
    """

    def requires(self, model: ir.Model) -> None:
        for node in model.graph.all_nodes():
            if node.op_type in ("QuantizeLinear", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear"):
                raise Refused("the model is quantised already", kind="unsupported", node=node.name, op=node.op_type)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = work.params
        for key, known in (("method", METHODS), ("activations", tuple(_TYPES)), ("weights", tuple(_TYPES))):
            if params[key] not in known:
                raise Refused(f"{key}={params[key]!r} is not one of {', '.join(known)}", kind="unsupported")
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        notes = _raise_opset(model)
        proto = onnx.shape_inference.infer_shapes(_proto(model))
        types = _operator_types(params["only"])
        wanted = _float_tensors(proto, types, set(params["exclude"]))
        if not wanted:
            raise Refused("nothing in this model can be quantised to int8", kind="unsupported")
        seen, count = calibrate(
            proto,
            wanted,
            Path(work.inputs["samples"]) / "samples.npz",
            histograms=params["method"] != "minmax",
            progress=work.progress,
        )
        limits = {name: ranges.choose(seen[name], params["method"], params["percentile"]) for name in wanted}
        result = ir.from_proto(_insert(proto, limits, types, params))
        common.RemoveUnusedOpsetsPass()(result)
        quantised, left = _sort_out(result)
        recurrent = [name for name in left if name.endswith(("(LSTM)", "(GRU)", "(RNN)", "(Scan)", "(Loop)"))]
        if recurrent:
            work.note(f"left in float: {', '.join(recurrent)}: ONNX Runtime has no integer kernels for recurrence")
        details = {
            "calibration": {"samples": count, "method": params["method"], "tensors": len(wanted)},
            "quantised_nodes": quantised,
            "left_float": left,
        }
        return Rewritten(result, [*notes, f"{quantised} nodes in int8"], details)

    def ensures(self, model: ir.Model) -> None:
        assert any(node.op_type == "DequantizeLinear" for node in model.graph), "nothing was quantised"


def _raise_opset(model: ir.Model) -> list[str]:
    """In place. Per-channel weights need opset 13."""
    if opset(model) >= _PER_CHANNEL_OPSET:
        return []
    before = opset(model)
    try:
        raised = ir.from_proto(onnx.version_converter.convert_version(ir.to_proto(model), _PER_CHANNEL_OPSET))
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        reason = str(error).splitlines()[0][:200]
        raise Refused(
            f"int8 needs opset 13, and opset {before} cannot be raised: {reason}", kind="unsupported"
        ) from error
    model.graph, model.ir_version = raised.graph, max(model.ir_version, 7)
    return [f"opset {before} -> {_PER_CHANNEL_OPSET}"]


def _proto(model: ir.Model) -> Any:
    ir.external_data.load_to_model(model)
    return ir.to_proto(model)


def _operator_types(only: list[str]) -> list[str]:
    from onnxruntime.quantization import registry

    known = (set(registry.QDQRegistry) | set(registry.QLinearOpsRegistry)) - _NEVER
    unknown = sorted(set(only) - known)
    if unknown:
        raise Refused(f"{unknown[0]} cannot be quantised to int8", kind="unsupported", op=unknown[0])
    return sorted(set(only) or known)


def _float_tensors(proto: Any, types: list[str], exclude: set[str]) -> list[str]:
    """Names of the float32 activations around the nodes that will be quantised, sorted."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    values = (*proto.graph.input, *proto.graph.value_info, *proto.graph.output)
    floats = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT} - stored
    nodes = [node for node in proto.graph.node if node.op_type in types and node.name not in exclude]
    return sorted({name for node in nodes for name in (*node.input, *node.output)} & floats)


def _insert(proto: Any, limits: dict[str, tuple[float, float]], types: list[str], params: Any) -> Any:
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    data = {name: (np.array(low, np.float32), np.array(high, np.float32)) for name, (low, high) in limits.items()}
    quantizer = QDQQuantizer(
        proto,
        params["per_channel"],
        False,  # reduce_range: 7 bits, for processors without VNNI only
        _TYPES[params["weights"]],
        _TYPES[params["activations"]],
        TensorsData(CalibrationMethod.MinMax, data),
        [],
        sorted(params["exclude"]),
        types,
        {"WeightSymmetric": True, "ActivationSymmetric": False},
    )
    quantizer.quantize_model()
    return _canonical(quantizer.model.model)


def _canonical(model: Any) -> Any:
    """The quantiser walks Python sets, so its order differs from run to run: order the nodes as the outputs need
    them (depth first, inputs from left to right), and the weights by name."""
    graph = model.graph
    producer = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order: list[int] = []
    state: dict[int, int] = {}  # 1: its inputs are being visited, 2: placed
    stack = [producer[port.name] for port in reversed(graph.output) if port.name in producer]
    while stack:
        index = stack[-1]
        if state.get(index) == 2:
            stack.pop()
        elif state.get(index) == 1:
            state[index] = 2
            order.append(stack.pop())
        else:
            state[index] = 1
            needs = [producer[name] for name in reversed(_needs(graph.node[index])) if name in producer]
            stack += [need for need in needs if need not in state]
    nodes = [graph.node[index] for index in order]
    weights = sorted(graph.initializer, key=lambda tensor: tensor.name)
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
    return model


def _needs(node: Any) -> list[str]:
    """The values a node reads, those that nested graphs take from outside included."""
    names = list(node.input)
    for attribute in node.attribute:
        for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            names += [name for inner in body.node for name in _needs(inner)]
            names += [port.name for port in body.output]
    return names


def _sort_out(model: ir.Model) -> tuple[int, list[str]]:
    """(how many nodes compute on quantised values, the heavy ones that do not)."""
    quantised, left = 0, []
    for node in model.graph:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        above = [value.producer() for value in node.inputs if value is not None]
        if any(source is not None and source.op_type == "DequantizeLinear" for source in above):
            quantised += 1
        elif node.op_type in _HEAVY:
            left.append(f"{node.name} ({node.op_type})")
    return quantised, sorted(left)
