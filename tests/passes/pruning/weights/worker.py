"""Reads and changes the stored weights of a model. Runs in the core toolchain."""

from pathlib import Path

import numpy as np
import onnx
from dlpipe_worker import Request, operation


@operation
def shrink(request: Request) -> object:
    """source -> source with the weights `names` times `factor`; of `step` rows the first."""
    model = onnx.load(str(Path(request.inputs["source"]) / "model.onnx"))
    for tensor in model.graph.initializer:
        if tensor.name in request.params["names"]:
            array = onnx.numpy_helper.to_array(tensor).copy()
            array[:: request.params["step"]] *= np.float32(request.params["factor"])
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, str(Path(request.out) / "model.onnx"))
    return None


@operation
def mislead(request: Request) -> object:
    """source -> source with every second hidden number large and without effect: columns of the matrix `up` times 50,
    the rows of `down` that read them zero."""
    model = onnx.load(str(Path(request.inputs["source"]) / "model.onnx"))
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).copy()
        if tensor.name == request.params["up"]:
            array[:, ::2] *= np.float32(50)
        elif tensor.name == request.params["down"]:
            array[::2] = 0
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, str(Path(request.out) / "model.onnx"))
    return None
