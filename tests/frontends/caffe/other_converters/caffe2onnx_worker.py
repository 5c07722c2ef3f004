"""caffe2onnx 2.0.1 as it is. Runs in the caffe2onnx toolchain (Python 3.7)."""

import sys
from pathlib import Path

from dlpipe_worker import operation

from ..kit import ports  # noqa: TID252 (the house of a worker has no name)


@operation
def import_(request):
    """source -> model.onnx, contract.json. params: entry, output (the blob that the net ends in)."""
    sys.argv = ["caffe2onnx"]  # it reads the command line of whoever imports it
    import onnx
    from caffe2onnx.src.caffe2onnx import Caffe2Onnx
    from caffe2onnx.src.load_save_model import loadcaffemodel

    source = Path(request.inputs["source"])
    weights = next(source.glob("*.caffemodel"))
    model = Caffe2Onnx(*loadcaffemodel(str(source / request.params["entry"]), str(weights)), "model").createOnnxModel()
    onnx.save_model(model, str(Path(request.out) / "model.onnx"))
    weighed = {each.name for each in model.graph.initializer}
    given = [each for each in model.graph.input if each.name not in weighed]
    ports.write_contract(
        request.out,
        [_port(each, "data") for each in given],
        [_port(each, request.params["output"]) for each in model.graph.output],
    )
    return {"tool": "caffe2onnx 2.0.1"}


def _port(value, source):
    shape = [each.dim_value for each in value.type.tensor_type.shape.dim]
    return ports.port(value.name, "float32", shape, source)
