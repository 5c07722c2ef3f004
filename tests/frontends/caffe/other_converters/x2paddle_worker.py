"""x2paddle 1.6.0 as it is, and paddle2onnx behind it. Runs in the paddle toolchain, with x2paddle's beside it."""

import os
import sys
from pathlib import Path

from dlpipe_worker import operation

from ..kit import ports  # noqa: TID252 (the house of a worker has no name)


@operation
def import_(request):
    """source -> model.onnx, contract.json. params: entry, output (the blob that the net ends in), shapes."""
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"  # its messages are of an older protobuf
    sys.path += map(str, Path(request.resources["x2paddle"]).glob("lib/python*/site-packages"))
    import paddle  # noqa: F401
    import paddle2onnx
    from x2paddle.convert import caffe2paddle

    source, made = Path(request.inputs["source"]), Path(request.out, "paddle")
    weights = next(source.glob("*.caffemodel"))
    caffe2paddle(str(source / request.params["entry"]), str(weights), str(made), None, disable_feedback=True)
    folder = made / "inference_model"
    paddle2onnx.export(
        str(folder / "model.json"),
        str(folder / "model.pdiparams"),
        str(Path(request.out, "model.onnx")),
        opset_version=17,
        optimize_tool="None",
    )
    import onnx

    graph = onnx.load(str(Path(request.out, "model.onnx"))).graph
    shapes = request.params["shapes"]
    ports.write_contract(
        request.out,
        [ports.port(graph.input[0].name, "float32", shapes[0], "data")],
        [ports.port(graph.output[0].name, "float32", shapes[1], request.params["output"])],
    )
    return {"tool": "x2paddle 1.6.0"}
