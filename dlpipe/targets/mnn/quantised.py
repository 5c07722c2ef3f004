"""A quantised ONNX graph in the form that MNN takes: the float graph, and what its tensors are quantised with.

MNN's own import of QuantizeLinear and DequantizeLinear is not usable (3.6.1 reads memory that was never written, or
crashes): what it does take is a file of scales beside a float model, from which it makes the same integers again.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import numpy_helper

Array = np.ndarray[Any, Any]
QUANTISERS = ("QuantizeLinear", "DequantizeLinear")
_WEIGHTED = ("Conv", "Gemm", "MatMul")
_LIMITS = {"clamp_min": -128, "clamp_max": 127}
_RECTIFIED = ("Relu", "Sigmoid", "Softmax")  # never below zero
_MOVING = (
    *("Concat", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Resize", "Slice", "Split"),
    *("Squeeze", "Tile", "Transpose", "Unsqueeze"),
)  # which integers may go through


class _Graph:
    """What is collected on the way through the nodes, which stand in order."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = {value.name for value in graph.output}
        self.uses = Counter(name for node in graph.node for name in node.input) + Counter(self.outputs)
        self.made = {output: node.op_type for node in graph.node for output in node.output}
        self.instead: dict[str, str] = {}  # value that a quantiser made -> value of the float graph
        self.freed: set[str] = set()  # values that were integers and are floats now
        self.scales: dict[str, tuple[float, int]] = {}  # of activations: scale, zero point as int8
        self.weights: dict[str, Array] = {}  # name of a restored constant -> its scales
        self.nodes: list[Any] = []

    def array(self, name: str, node: Any) -> Array:
        if name not in self.constants:
            raise _refused(node, f"MNN needs scales and zero points that are constant, and {name} is computed")
        return np.asarray(numpy_helper.to_array(self.constants[name]))

    def zero(self, node: Any) -> Array:
        given = len(node.input) > 2 and node.input[2]
        return self.array(node.input[2], node) if given else np.zeros((), np.uint8)

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(onnx.helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = numpy_helper.from_array(value, name)
        return name


def _refused(node: Any, message: str) -> Refused:
    return Refused(f"{node.name or node.output[0]}: {message}", "unsupported", node=node.name, op=node.op_type)


def is_quantised(model: Any) -> bool:
    return any(node.op_type in QUANTISERS for node in model.graph.node)


def restored(model: Any) -> list[dict[str, Any]]:
    """Take the quantisers out of `model`, in place. Returns MNN's parameters of each layer whose input, weights and
    output were quantised; none where only weights are."""
    work = _Graph(model.graph)
    for node in model.graph.node:
        names = list(node.input)
        node.input[:] = [work.instead.get(name, name) for name in names]
        if node.op_type == "DequantizeLinear" and names[0] in work.constants:
            _restore(work, node)
        elif node.op_type == "QuantizeLinear":
            _skip(work, node)
        elif node.op_type == "DequantizeLinear":
            _leave(work, node, names[0])
        elif node.op_type == "Relu" and work.made.get(node.input[0]) not in _WEIGHTED:
            _larger(work, node.input[0], node.output[0])
        else:
            work.nodes.append(node)
            if node.op_type in _MOVING and names[0] in work.freed:
                work.freed.update(node.output)
    for value in model.graph.output:
        if value.name in work.freed:
            raise Refused(f"the output {value.name} is quantised, which MNN does not give", "unsupported")
        if value.name in work.instead:
            work.add("Identity", [work.instead[value.name]], value.name)
    layers = [layer for node in work.nodes if (layer := _layer(work, node))]
    _replace(work)
    return layers


def _restore(work: _Graph, node: Any) -> None:
    """(q - zero) * scale of a constant, as a float constant of the output's name."""
    stored, scale, zero = work.array(node.input[0], node), work.array(node.input[1], node), work.zero(node)
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)

    def spread(value: Array) -> Array:
        if value.size == 1:
            return value.reshape(())
        if block:
            return np.repeat(value, block, axis)[tuple(slice(size) for size in stored.shape)]
        return value.reshape([-1 if each == axis % stored.ndim else 1 for each in range(stored.ndim)])

    values = (stored.astype(np.float32) - spread(zero).astype(np.float32)) * spread(scale).astype(np.float32)
    name = work.constant(node.output[0], values.astype(np.float32))
    if not block:
        work.weights[name] = np.atleast_1d(scale)


def _skip(work: _Graph, node: Any) -> None:
    """An activation: remember its scale. What a quantiser cuts off below zero, a Relu cuts off from now on."""
    source, scale, zero = node.input[0], *_scale(work, node)
    lowest = int(np.iinfo(zero.dtype).min)
    if int(zero.reshape(())) == lowest and work.made.get(source) not in _RECTIFIED:
        source = _rectified(work, source)
    work.instead[node.output[0]] = source
    work.freed.add(node.output[0])
    work.scales[source] = scale, int(zero.reshape(())) - lowest - 128


def _leave(work: _Graph, node: Any, quantised: str) -> None:
    """Back to floats: nothing to do, but for a model that is fed with integers."""
    source, scale, zero = node.input[0], *_scale(work, node)
    if quantised not in work.freed:
        source = work.add("Cast", [source], f"{node.output[0]}__cast", to=onnx.TensorProto.FLOAT)
        for op, value in (("Sub", zero.reshape(())), ("Mul", np.float32(scale))):
            given = work.constant(f"{node.output[0]}__{op}__by", np.asarray(value, np.float32))
            source = work.add(op, [source, given], f"{node.output[0]}__{op}")
    work.instead[node.output[0]] = source
    work.scales[source] = scale, int(zero.reshape(())) - int(np.iinfo(zero.dtype).min) - 128


def _scale(work: _Graph, node: Any) -> tuple[float, Array]:
    scale, zero = work.array(node.input[1], node), work.zero(node)
    if scale.size != 1 or zero.dtype not in (np.dtype(np.int8), np.dtype(np.uint8)):
        raise _refused(node, "MNN quantises activations to 8 bits with one scale, and this does otherwise")
    return float(scale.reshape(())), zero


def _rectified(work: _Graph, source: str) -> str:
    """The value behind a Relu. Where nobody else looks at `source`, the Relu takes its name over: MNN makes one
    operator of a layer and the Relu behind it."""
    if work.made.get(source) not in _WEIGHTED or work.uses[source] > 1:
        return _larger(work, source, source + "__rectified")
    maker = next(node for node in reversed(work.nodes) if source in node.output)
    raw = source + "__sum"
    maker.output[:] = [raw if name == source else name for name in maker.output]
    work.made[source] = "Relu"
    return work.add("Relu", [raw], source)


def _larger(work: _Graph, source: str, output: str) -> str:
    """A Relu that MNN does not make part of the operator before it: its 8-bit sums of two tensors cut off at the
    integer 0, whatever number that stands for."""
    return work.add("Max", [source, work.constant(output + "__floor", np.zeros((), np.float32))], output)


def _layer(work: _Graph, node: Any) -> dict[str, Any] | None:
    """MNN finds a layer by the name of its output, behind its activation function."""
    if node.op_type not in _WEIGHTED or node.input[0] not in work.scales or node.input[1] not in work.weights:
        return None
    output = node.output[0]
    rectified = [each.output[0] for each in work.nodes if each.op_type in ("Relu", "Clip") and output == each.input[0]]
    output = rectified[0] if rectified else output
    if output not in work.scales:
        return None
    width = _output_width(work, node)
    scales = work.weights[node.input[1]]
    scales = np.repeat(scales, width) if scales.size == 1 else scales
    weight = {"name": node.input[1], "bits": 8, "scales": [float(each) for each in scales], **_LIMITS}
    return {
        "input": [_activation(work, node.input[0])],
        "weight": [weight],
        "output": [_activation(work, output)],
        "method": 0,
    }


def _output_width(work: _Graph, node: Any) -> int:
    shape = list(work.constants[node.input[1]].dims)
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return int(shape[0] if node.op_type == "Conv" or transposed else shape[-1])


def _activation(work: _Graph, name: str) -> dict[str, Any]:
    scale, zero = work.scales[name]
    return {"name": name, "bits": 8, "scales": [scale], "zero_point": zero, **_LIMITS}


def _replace(work: _Graph) -> None:
    used = {name for node in work.nodes for name in node.input}
    del work.graph.node[:], work.graph.initializer[:], work.graph.value_info[:]
    work.graph.node.extend(work.nodes)
    work.graph.initializer.extend(tensor for name, tensor in work.constants.items() if name in used)


def write_parameters(layers: list[dict[str, Any]], path: Path) -> None:
    """As MNN's converter reads them (--compressionParamsFile), in the JSON of its protocol buffer."""
    quantised = {"type": "QUANTIZE", "quant_params": {"round_mode": 0, "layer": layers}}
    path.write_text(json.dumps({"version": "0.0.0", "algo": [quantised]}), encoding="utf-8")
