"""Builds ONNX files for tests, in the core toolchain: the host has no onnx."""

from pathlib import Path

import numpy as np
import onnx
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
