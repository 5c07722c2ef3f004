"""An ONNX model as x2paddle reads it: plain names of inputs and outputs, and attributes that ONNX leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import helper

_WINDOWS = ("AveragePool", "Conv", "ConvTranspose", "MaxPool")
_IR_VERSION = 8  # of operator set 15, the last that x2paddle knows


def prepare(source: Path, target: Path) -> tuple[list[str], list[str]]:
    """Write `target`. Returns the new names of its inputs and outputs, in order."""
    model = onnx.load_model(str(source))
    model.ir_version = min(model.ir_version, _IR_VERSION)
    graph = model.graph
    stored = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    names = {value.name: f"in{index}" for index, value in enumerate(inputs)}
    outputs = {value.name: f"out{index}" for index, value in enumerate(graph.output)}
    for value in graph.output:
        if value.name in names or value.name in stored:  # an input or a constant that goes straight out
            graph.node.append(helper.make_node("Identity", [value.name], [outputs[value.name]], name=value.name))
        else:
            names[value.name] = outputs[value.name]
    for node in graph.node:
        _complete(node, stored)
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            dims[0].dim_value = 1
        value.name = names[value.name]
    for value in graph.output:
        value.name = outputs[value.name]
    del graph.value_info[:]
    onnx.save_model(onnx.shape_inference.infer_shapes(model), str(target))
    return [value.name for value in inputs], list(outputs.values())


def _complete(node: Any, stored: dict[str, list[int]]) -> None:
    """x2paddle has defaults of its own: a pool without strides would move by its whole kernel."""
    given = {each.name: each for each in node.attribute}
    if node.op_type in ("Conv", "ConvTranspose") and "kernel_shape" not in given and node.input[1] in stored:
        given["kernel_shape"] = helper.make_attribute("kernel_shape", stored[node.input[1]][2:])
        node.attribute.append(given["kernel_shape"])
    if node.op_type in _WINDOWS and "kernel_shape" in given:
        dims = len(given["kernel_shape"].ints)
        usual = {"strides": [1] * dims, "pads": [0] * (2 * dims)}
        if "auto_pad" in given and given["auto_pad"].s not in (b"", b"NOTSET"):
            del usual["pads"]
        node.attribute.extend(helper.make_attribute(name, value) for name, value in usual.items() if name not in given)
    if node.op_type == "Softmax" and "axis" not in given:  # the default differs between operator sets
        node.attribute.append(helper.make_attribute("axis", 1))
