"""Compiles another model than it was given. Runs in the core toolchain."""

import json
import shutil
import tempfile
from pathlib import Path

import onnx
from dlpipe_worker import Refused, Request, operation

from ..onnxruntime import worker as real


@operation
def compile_(request: Request) -> object:
    """params["fault"]: `node:NAME`, that node is a Sin, or multiplies by the transposed weight; `pair`, a Tanh whose
    input a Mul makes is a Sin. A graph that ends in a Softplus is refused."""
    fault, _, name = request.params["fault"].partition(":")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "ir")
        shutil.copytree(request.inputs["ir"], folder, copy_function=shutil.copyfile)
        model = onnx.load_model(str(folder / "model.onnx"))
        maker = {output: node for node in model.graph.node for output in node.output}
        if any(node.op_type == "Softplus" for node in model.graph.node[-1:]):
            raise Refused("no Softplus at the end", kind="unsupported")
        for node in model.graph.node:
            source = maker.get(node.input[0])
            fused = fault == "pair" and node.op_type == "Tanh" and source is not None and source.op_type == "Mul"
            if fused or (fault == "node" and node.name == name):
                _spoil(node)
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        request.inputs["ir"] = str(folder)
        made = real.compile_(request)
    path = Path(request.out, "run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "backend": "faulty"}))
    return made


def _spoil(node: onnx.NodeProto) -> None:
    if node.op_type == "MatMul":
        node.op_type = "Gemm"
        node.attribute.append(onnx.helper.make_attribute("transB", 1))
    else:
        node.op_type = "Sin"
