"""ONNX models from their textual form and drawn weights. Runs in the core toolchain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx


def make(params: Mapping[str, Any]) -> onnx.ModelProto:
    """params: text (ONNX's textual form), weights {name: shape} drawn from a normal distribution (0.5 to 1.5 where the
    name ends in "_positive"), ints {name: values}, scale, seed."""
    model = onnx.parser.parse_model(params["text"])
    random = np.random.default_rng(params.get("seed", 0))
    for name, shape in params.get("weights", {}).items():
        positive = name.endswith("_positive")
        array = random.uniform(0.5, 1.5, shape) if positive else random.standard_normal(shape)
        array = (array * params.get("scale", 1.0)).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for name, values in params.get("ints", {}).items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, np.int64), name))
    return model
