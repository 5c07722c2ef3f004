"""Builds ONNX files for tests, in the core toolchain: the host has no onnx."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from dlpipe_worker import Request, operation


@operation
def build(request: Request) -> object:
    """-> `model.onnx`. params: text (ONNX's textual form), weights {name: shape} drawn from a normal distribution
    (0.5 to 1.5 where the name ends in "_positive"), ints {name: values}, external {name: location}, scale."""
    model = onnx.parser.parse_model(request.params["text"])
    random = np.random.default_rng(request.params.get("seed", 0))
    for name, shape in request.params.get("weights", {}).items():
        positive = name.endswith("_positive")
        array = random.uniform(0.5, 1.5, shape) if positive else random.standard_normal(shape)
        array = (array * request.params.get("scale", 1.0)).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for name, values in request.params.get("ints", {}).items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, np.int64), name))
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
