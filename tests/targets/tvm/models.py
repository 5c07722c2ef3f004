"""Models that only this backend's own runner makes interesting. Run by the core toolchain: python models.py OUT."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

RANDOM = np.random.default_rng(11)


def build(name, nodes, inputs, outputs, **constants):
    info = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            nodes,
            name,
            [info(*each) for each in inputs],
            [info(*each) for each in outputs],
            [numpy_helper.from_array(value, key) for key, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def kinds():
    """Several element types, a scalar, and an input that goes straight out again."""
    node = helper.make_node
    kind = TensorProto
    nodes = [
        node("Add", ["i", "one"], ["plus"]),
        node("Mul", ["h", "h"], ["square"]),
        node("ReduceSum", ["f"], ["total"], keepdims=0),
        node("Greater", ["f", "zero"], ["positive"]),
        node("Cast", ["i"], ["narrow"], to=kind.UINT8),
    ]
    inputs = [("i", kind.INT64, [2, 3]), ("h", kind.FLOAT16, [4]), ("f", kind.FLOAT, [1, 5])]
    outputs = [
        ("plus", kind.INT64, [2, 3]),
        ("square", kind.FLOAT16, [4]),
        ("total", kind.FLOAT, []),
        ("positive", kind.BOOL, [1, 5]),
        ("narrow", kind.UINT8, [2, 3]),
    ]
    model = build("kinds", nodes, inputs, outputs, one=np.array(1, np.int64), zero=np.array(0, np.float32))
    samples = {
        "i": RANDOM.integers(0, 200, (4, 2, 3)),
        "h": RANDOM.standard_normal((4, 4)).astype(np.float16),
        "f": RANDOM.standard_normal((4, 1, 5)).astype(np.float32),
    }
    return model, samples


def convolutions():
    """A plain, a depthwise and a pointwise convolution, a pool and a matrix product: what small CNNs are made of."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "A", "a"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "B", "b"], ["c2"], pads=[1, 1, 1, 1], group=16),
        node("Relu", ["c2"], ["r2"]),
        node("Conv", ["r2", "C", "c"], ["c3"]),
        node("Relu", ["c3"], ["r3"]),
        node("GlobalAveragePool", ["r3"], ["p"]),
        node("Flatten", ["p"], ["v"]),
        node("Gemm", ["v", "D", "d"], ["y"], transB=1),
    ]
    shapes = {"A": (16, 3, 3, 3), "B": (16, 1, 3, 3), "C": (24, 16, 1, 1), "D": (10, 24)}
    weights = {name: (RANDOM.standard_normal(shape) * 0.3).astype(np.float32) for name, shape in shapes.items()}
    biases = {name.lower(): RANDOM.standard_normal(shape[0]).astype(np.float32) for name, shape in shapes.items()}
    inputs, outputs = [("x", TensorProto.FLOAT, [1, 3, 21, 19])], [("y", TensorProto.FLOAT, [1, 10])]
    model = build("convolutions", nodes, inputs, outputs, **weights, **biases)
    return model, {"x": RANDOM.standard_normal((4, 1, 3, 21, 19)).astype(np.float32)}


def scan():
    """A loop, which Relax does not import."""
    node, info = helper.make_node, helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Add", ["state", "step"], ["next"]), node("Identity", ["next"], ["emitted"])],
        "body",
        [info("state", TensorProto.FLOAT, [2]), info("step", TensorProto.FLOAT, [2])],
        [info("next", TensorProto.FLOAT, [2]), info("emitted", TensorProto.FLOAT, [2])],
    )
    nodes = [node("Scan", ["start", "x"], ["last", "y"], name="loop", num_scan_inputs=1, body=body)]
    inputs, outputs = [("x", TensorProto.FLOAT, [5, 2])], [("y", TensorProto.FLOAT, [5, 2])]
    model = build("scan", nodes, inputs, outputs, start=np.zeros(2, np.float32))
    return model, {"x": RANDOM.standard_normal((2, 5, 2)).astype(np.float32)}


class Calibration(CalibrationDataReader):
    def __init__(self, samples):
        self.rest = iter([{"x": each} for each in samples])

    def get_next(self):
        return next(self.rest, None)


def port(value):
    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    return {"name": value.name, "dtype": dtype, "shape": [d.dim_value for d in tensor.shape.dim]}


def write(folder, model, samples):
    for name in ("ir", "samples"):
        (folder / name).mkdir(parents=True)
    onnx.save(model, folder / "ir" / "model.onnx")
    constants = {each.name for each in model.graph.initializer}
    contract = {
        "version": "dlpipe.io/1",
        "inputs": [port(value) for value in model.graph.input if value.name not in constants],
        "outputs": [port(value) for value in model.graph.output],
    }
    (folder / "ir" / "contract.json").write_text(json.dumps(contract))
    np.savez(folder / "samples" / "samples.npz", **samples)
    # Without fusions: the quantised model is then computed just as its operators say.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    count = len(next(iter(samples.values())))
    runs = [session.run(None, {name: values[i] for name, values in samples.items()}) for i in range(count)]
    names = [value.name for value in model.graph.output]
    np.savez(folder / "reference.npz", **{name: np.stack([run[k] for run in runs]) for k, name in enumerate(names)})


def main(out):
    for model, samples in (kinds(), convolutions(), scan()):
        write(out / model.graph.name, model, samples)
    model, samples = onnx.load(out / "convolutions" / "ir" / "model.onnx"), {}
    with np.load(out / "convolutions" / "samples" / "samples.npz") as given:
        samples = dict(given)
    file = out / "quantised.onnx"
    quantize_static(
        out / "convolutions" / "ir" / "model.onnx",
        file,
        Calibration(samples["x"]),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    write(out / "quantised", onnx.load(file), samples)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
