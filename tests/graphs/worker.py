"""Builds ONNX files for tests, in the core toolchain: the host has no onnx."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from dlpipe_worker import Request, operation

from . import building


@operation
def build(request: Request) -> object:
    """-> `model.onnx`. params: as for `building.make`, and external {name of a weight: its file}."""
    model = building.make(request.params)
    for tensor in model.graph.initializer:
        if tensor.name in request.params.get("external", {}):
            location = request.params["external"][tensor.name]
            (Path(request.out) / "weights.bin").write_bytes(tensor.raw_data)
            onnx.external_data_helper.set_external_data(tensor, location, offset=0, length=len(tensor.raw_data))
            tensor.ClearField("raw_data")
    (Path(request.out) / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return None


@operation
def metadata(request: Request) -> object:
    """ir -> the model's metadata_props."""
    model = onnx.load_model(str(Path(request.inputs["ir"]) / "model.onnx"), load_external_data=False)
    return {each.key: each.value for each in model.metadata_props}


@operation
def to_ort(request: Request) -> object:
    """source -> `model.ort`, written by ONNX Runtime. params: entry, level (ORT_ENABLE_ALL ...)."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, request.params["level"])
    options.optimized_model_filepath = str(Path(request.out) / "model.ort")
    options.log_severity_level = 3
    options.add_session_config_entry("session.save_model_format", "ORT")
    path = Path(request.inputs["source"]) / request.params["entry"]
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return None


@operation
def zeros(request: Request) -> object:
    """ir -> {weight: the share of it that is exactly zero}."""
    model = onnx.load_model(str(Path(request.inputs["ir"]) / "model.onnx"))
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {name: float((array == 0).mean()) for name, array in arrays.items()}


@operation
def optimised(request: Request) -> object:
    """ir -> {operator: how many of it ONNX Runtime executes}, after all its optimisations."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(Path(request.out) / "model.onnx")
    options.log_severity_level = 3
    path = Path(request.inputs["ir"]) / "model.onnx"
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    made = onnx.load_model(options.optimized_model_filepath)
    return dict(Counter(node.op_type for node in made.graph.node))


@operation
def weights(request: Request) -> object:
    """ir -> {weight: its numbers}."""
    model = onnx.load_model(str(Path(request.inputs["ir"]) / "model.onnx"))
    return {tensor.name: onnx.numpy_helper.to_array(tensor).tolist() for tensor in model.graph.initializer}


@operation
def scale_up(request: Request) -> object:
    """ir (QDQ) -> ir: the scales of activations times params["factor"]: steps that are far too coarse."""
    folder = Path(request.inputs["ir"])
    for name in ("contract.json",):
        (Path(request.out) / name).write_bytes((folder / name).read_bytes())
    model = onnx.load_model(str(folder / "model.onnx"))
    scales = {node.input[1] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    for tensor in model.graph.initializer:
        if tensor.name in scales:
            array = onnx.numpy_helper.to_array(tensor) * np.float32(request.params["factor"])
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    (Path(request.out) / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return None


@operation
def coarser_weights(request: Request) -> object:
    """ir (QDQ), float -> ir: scales of weights and biases times params["factor"], those of `float` rounded anew."""
    folder = Path(request.inputs["ir"])
    (Path(request.out) / "contract.json").write_bytes((folder / "contract.json").read_bytes())
    model = onnx.load_model(str(folder / "model.onnx"))
    original = onnx.load_model(str(Path(request.inputs["float"]) / "model.onnx"))
    floats = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in original.graph.initializer}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        name = node.input[0].removesuffix("/levels")
        if node.op_type == "DequantizeLinear" and name in floats and floats[name].ndim == 1:  # a bias follows
            for each, change in (
                (node.input[1], request.params["factor"]),
                (node.input[0], 1 / request.params["factor"]),
            ):
                array = onnx.numpy_helper.to_array(stored[each])
                changed = np.round(array * change) if array.dtype == np.int32 else array * change
                stored[each].CopyFrom(onnx.numpy_helper.from_array(changed.astype(array.dtype), each))
        if node.op_type != "DequantizeLinear" or floats.get(name, np.zeros(1)).ndim < 2:
            continue
        old, scale, zero = (onnx.numpy_helper.to_array(stored[each]) for each in node.input)
        axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
        scale = (scale * np.float32(request.params["factor"])).astype(np.float32)
        view = [-1 if each == axis % old.ndim else 1 for each in range(old.ndim)] if scale.size > 1 else []
        bounds = np.iinfo(old.dtype)
        steps = np.round(floats[name] / scale.reshape(view)) + zero.astype(np.float32).reshape(view)
        weights = np.clip(steps, bounds.min, bounds.max).astype(old.dtype)
        stored[node.input[0]].CopyFrom(onnx.numpy_helper.from_array(weights, node.input[0]))
        stored[node.input[1]].CopyFrom(onnx.numpy_helper.from_array(scale, node.input[1]))
    (Path(request.out) / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return None
