"""A quantised convolution as TensorRT wants it: no zero points, and a bias in int32. Run by the core toolchain."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(3)


def main(out):
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        node("DequantizeLinear", ["b", "bs"], ["bd"], axis=0, name="the bias"),
        node("Conv", ["xd", "wd", "bd"], ["y"]),
    ]
    scales = np.array([0.01, 0.02, 0.03, 0.04], np.float32)
    constants = {
        "s": np.float32(0.05),
        "z": np.int8(0),
        "w": RANDOM.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
        "ws": scales,
        "wz": np.zeros(4, np.int8),
        "b": RANDOM.integers(-500, 500, 4).astype(np.int32),
        "bs": scales * np.float32(0.05),
    }
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "quantised",
        [info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [info("y", TensorProto.FLOAT, [1, 4, 6, 6])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    out.mkdir(parents=True)
    onnx.save(model, out / "model.onnx")
    ports = [
        {"name": name, "dtype": "float32", "shape": shape} for name, shape in (("x", [1, 3, 8, 8]), ("y", [1, 4, 6, 6]))
    ]
    (out / "contract.json").write_text(
        json.dumps({"version": "dlpipe.io/1", "inputs": ports[:1], "outputs": ports[1:]}), encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
