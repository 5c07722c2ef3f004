"""A model with large weights in a file of their own, and what loading and saving it costs. For the core toolchain."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from dlpipe_worker import Request, operation

_WIDTH = 4096
_BLOCK = 4 * _WIDTH * _WIDTH  # bytes of one weight


@operation
def make(request: Request) -> object:
    """-> an IR folder. params: gigabytes; distinct: how many of the weights differ (all); scaled: every how-many-th
    weight has a scale behind it, which fold-batchnorm multiplies into it (0: none).

    Per weight: MatMul, Mul (where scaled), Add, Identity, Relu, and a Transpose forth and back. The first page of each
    weight is random, the rest zeros, a hole in the file.
    """
    count, scaled = int(request.params["gigabytes"] * (1 << 30) // _BLOCK), request.params["scaled"]
    distinct, heads = request.params.get("distinct", count), list[Any]()
    random, nodes, small, large = np.random.default_rng(0), [], [], []
    last = "x"
    with (Path(request.out) / "model.onnx.data").open("wb") as file:
        file.truncate(count * _BLOCK)
        for i in range(count):
            file.seek(i * _BLOCK)
            head = random.standard_normal(1024, np.float32) if i < distinct else heads[i % distinct]
            heads.append(head)
            file.write(head.tobytes())
            large.append(_reference(f"w{i}", i * _BLOCK))
            steps = [("MatMul", f"w{i}"), ("Add", f"b{i}"), ("Identity",), ("Relu",), ("Transpose",), ("Transpose",)]
            if scaled and i % scaled == 0:
                steps.insert(1, ("Mul", f"s{i}"))
            for name in {step[1] for step in steps if len(step) > 1} - {f"w{i}"}:
                small.append(onnx.numpy_helper.from_array(random.standard_normal(_WIDTH).astype(np.float32), name))
            for number, (op, *weight) in enumerate(steps):
                nodes.append(onnx.helper.make_node(op, [last, *weight], [f"v{i}_{number}"], name=f"n{i}_{number}"))
                last = f"v{i}_{number}"
    nodes.append(onnx.helper.make_node("Tanh", [last], ["y"], name="last"))
    ports = [onnx.helper.make_tensor_value_info(name, 1, [2, _WIDTH]) for name in "xy"]
    graph = onnx.helper.make_graph(nodes, "large", ports[:1], ports[1:], sorted(small, key=lambda t: t.name) + large)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    (Path(request.out) / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    port = {"dtype": "float32", "shape": [2, _WIDTH]}
    contract = {
        "version": "dlpipe.io/1",
        "inputs": [{"name": "x", **port}],
        "outputs": [{"name": "y", **port}],
        "preprocessing": [],
        "labels": [],
        "metadata": {},
    }
    (Path(request.out) / "contract.json").write_text(json.dumps(contract), encoding="utf-8")
    return {"weights": count}


@operation
def load_and_save(request: Request) -> object:
    """ir -> the same model. Returns the seconds of the leanest way that onnx_ir has: weights go from file to file by
    the kernel. They are on the disk when the clock stops, as what a stage leaves is."""
    started = time.perf_counter()
    model = ir.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    path = Path(request.out) / "model.onnx"
    ir.save(model, str(path), external_data="model.onnx.data")
    for written in sorted(Path(request.out).iterdir()):
        with written.open("rb") as file:
            os.fsync(file.fileno())
    return {"seconds": time.perf_counter() - started}


def _reference(name: str, offset: int) -> Any:
    tensor = onnx.TensorProto(name=name, dims=[_WIDTH, _WIDTH], data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "model.onnx.data"), ("offset", offset), ("length", _BLOCK)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
