"""The IR as hls4ml reads it: attributes written out, matrix products without biases, channels last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.util.cleanup import cleanup_model

_LATEST = 10  # IR version that qonnx's tools write


def prepared(path: Path) -> Any:
    """The model in qonnx's wrapper. Raises Refused."""
    model = onnx.load(path)
    model.ir_version = min(model.ir_version, _LATEST)
    stored = {tensor.name for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output):
        if value.name not in stored:
            _fix_batch(value)
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        _write_out(node)
        if node.op_type == "Gemm" and len(node.input) == 2 and node.input[1] in shapes:
            model.graph.initializer.append(_no_bias(node, shapes[node.input[1]]))
    images = any(len(value.type.tensor_type.shape.dim) > 3 for value in model.graph.input if value.name not in stored)
    try:
        wrapped = cleanup_model(ModelWrapper(model))
        if images:
            wrapped = wrapped.transform(ConvertToChannelsLastAndClean())
        return cleanup_model(wrapped.transform(GemmToMatMul()))
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"qonnx cannot prepare the model: {error}", kind="unsupported") from error


def _no_bias(node: Any, shape: list[int]) -> Any:
    """Zeros for a Gemm without a bias, which qonnx does not know."""
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    bias = numpy_helper.from_array(np.zeros(shape[0 if transposed else 1], np.float32), f"{node.output[0]}/zeros")
    node.input.append(bias.name)
    return bias


def _fix_batch(value: Any) -> None:
    dims = value.type.tensor_type.shape.dim
    for axis, dim in enumerate(dims):
        if not dim.HasField("dim_value"):
            if axis:
                raise Refused(
                    f"a circuit has fixed widths, and {value.name} has the free dim {dim.dim_param}",
                    kind="unsupported",
                    hint=f"--shape {dim.dim_param}=<size>",
                )
            dim.dim_value = 1


def _write_out(node: Any) -> None:
    """The defaults of ONNX, which qonnx wants to see."""
    given = {each.name: each for each in node.attribute}
    if node.op_type not in ("Conv", "MaxPool", "AveragePool") or "kernel_shape" not in given:
        return
    dims = len(given["kernel_shape"].ints)
    defaults: dict[str, Any] = {"strides": [1] * dims, "pads": [0] * (2 * dims)}
    if node.op_type == "Conv":
        defaults |= {"dilations": [1] * dims, "group": 1}
    for name, value in defaults.items():
        if name not in given:
            node.attribute.append(helper.make_attribute(name, value))
