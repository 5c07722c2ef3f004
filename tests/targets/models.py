"""Small models with samples and reference outputs. Run by the core toolchain: python models.py OUT [NAME=FILE.onnx...].

Writes OUT/<name>/ir (model.onnx, contract.json), OUT/<name>/samples (samples.npz) and OUT/<name>/reference.npz.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

RANDOM = np.random.default_rng(7)


def weights(*shape):
    return (RANDOM.standard_normal(shape) * 0.3).astype(np.float32)


def graph(name, nodes, inputs, outputs, **constants):
    def info(ports):
        return [helper.make_tensor_value_info(port, TensorProto.FLOAT, shape) for port, shape in ports]

    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, name, info(inputs), info(outputs), initializers),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def made():
    """Each is here for one reason."""
    node = helper.make_node
    yield graph(  # two inputs and outputs, a free batch, a transposed output
        "branches",
        [
            node("Conv", ["a", "K"], ["c"], pads=[1, 1, 1, 1]),
            node("Add", ["c", "b"], ["s"]),
            node("Transpose", ["s"], ["t"], perm=[0, 2, 3, 1]),
            node("ReduceMean", ["s", "axes"], ["file"], keepdims=0),  # a name that numpy.savez cannot take
        ],
        [("a", ["N", 3, 8, 9]), ("b", ["N", 4, 8, 9])],
        [("t", ["N", 8, 9, 4]), ("file", ["N", 4])],
        K=weights(4, 3, 3, 3),
        axes=np.array([2, 3]),
    )
    yield graph(  # a recurrent cell, whose batch is the second axis
        "lstm",
        [node("LSTM", ["x", "W", "R"], ["y", "", ""], hidden_size=16), node("Squeeze", ["y", "axis"], ["z"])],
        [("x", [7, 1, 10])],
        [("z", [7, 1, 16])],
        W=weights(1, 64, 10),
        R=weights(1, 64, 16),
        axis=np.array([1]),
    )
    for name, pads in (("pools", [0, 0, 0, 0]), ("uneven", [0, 0, 1, 1])):
        yield graph(  # windows whose steps are left out, an average that counts the padding
            name,
            [
                node("AveragePool", ["x"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
                node("MaxPool", ["a"], ["m"], kernel_shape=[2, 2], pads=pads),
                node("LRN", ["m"], ["y"], size=3, alpha=0.1),
            ],
            [("x", [1, 4, 8, 8])],
            [("y", [1, 4, 7 + pads[2], 7 + pads[3]])],
        )
    yield graph("cumsum", [node("CumSum", ["x", "axis"], ["y"])], [("x", [1, 5])], [("y", [1, 5])], axis=np.array(1))
    yield graph("det", [node("Det", ["x"], ["y"])], [("x", [1, 3, 3])], [("y", [1])])  # which NPUs have no layer for
    yield graph("free", [node("Relu", ["x"], ["y"])], [("x", [1, 3, "height"])], [("y", [1, 3, "height"])])


def scan():
    """A loop."""
    node, info = helper.make_node, helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Add", ["state", "step"], ["next"]), node("Identity", ["next"], ["emitted"])],
        "body",
        [info("state", TensorProto.FLOAT, [2]), info("step", TensorProto.FLOAT, [2])],
        [info("next", TensorProto.FLOAT, [2]), info("emitted", TensorProto.FLOAT, [2])],
    )
    nodes = [node("Scan", ["start", "x"], ["last", "y"], name="loop", num_scan_inputs=1, body=body)]
    return graph("scan", nodes, [("x", [5, 2])], [("y", [5, 2])], start=np.zeros(2, np.float32))


def residual():
    """What small image classifiers are made of, with a branch around a layer."""
    node = helper.make_node
    kernels = {"A": (16, 3, 3, 3), "B": (16, 1, 3, 3), "C": (24, 16, 1, 1), "D": (10, 24)}
    return graph(
        "residual",
        [
            node("Conv", ["x", "A", "a"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("Relu", ["c1"], ["r1"]),
            node("Conv", ["r1", "B", "b"], ["c2"], pads=[1, 1, 1, 1], group=16),
            node("Add", ["c2", "r1"], ["s"]),
            node("Relu", ["s"], ["r2"]),
            node("Conv", ["r2", "C", "c"], ["c3"]),
            node("GlobalAveragePool", ["c3"], ["p"]),
            node("Flatten", ["p"], ["v"]),
            node("Gemm", ["v", "D", "d"], ["y"], transB=1),
        ],
        [("x", [1, 3, 21, 19])],
        [("y", [1, 10])],
        **{name: weights(*shape) for name, shape in kernels.items()},
        **{name: weights(size) for name, size in {"a": 16, "b": 16, "c": 24, "d": 10}.items()},
    )


def encoder():
    """A layer of a transformer, its shapes asked for as exporters of frameworks do."""
    node, width, heads = helper.make_node, 24, 3
    nodes = [
        node("LayerNormalization", ["x", "g1", "h1"], ["n1"], axis=-1),
        node("MatMul", ["n1", "Wqkv"], ["m1"]),
        node("Add", ["m1", "bqkv"], ["qkv"]),
        node("Split", ["qkv"], ["q", "k", "v"], axis=2, num_outputs=3),
        node("Shape", ["x"], ["shape"]),
        node("Slice", ["shape", "zero", "two"], ["outer"]),
        node("Concat", ["outer", "apart"], ["split"], axis=0),
    ]
    for name in "qkv":
        nodes.append(node("Reshape", [name, "split"], [f"{name}r"]))
        nodes.append(node("Transpose", [f"{name}r"], [f"{name}t"], perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]))
    nodes += [
        node("MatMul", ["qt", "kt"], ["s0"]),
        node("Mul", ["s0", "scale"], ["s1"]),
        node("Softmax", ["s1"], ["p"], axis=-1),
        node("MatMul", ["p", "vt"], ["o0"]),
        node("Transpose", ["o0"], ["o1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["o1", "shape"], ["o2"]),
        node("MatMul", ["o2", "Wo"], ["o3"]),
        node("Add", ["o3", "x"], ["r1"]),
        node("LayerNormalization", ["r1", "g1", "h1"], ["n2"], axis=-1),
        node("MatMul", ["n2", "W1"], ["f1"]),
        node("Div", ["f1", "root"], ["e0"]),
        node("Erf", ["e0"], ["e1"]),
        node("Add", ["e1", "one"], ["e2"]),
        node("Mul", ["f1", "e2"], ["e3"]),
        node("MatMul", ["e3", "W2"], ["f2"]),
        node("Add", ["f2", "r1"], ["y"]),
    ]
    return graph(
        "encoder",
        nodes,
        [("x", ["N", 7, width])],
        [("y", ["N", 7, width])],
        Wqkv=weights(width, 3 * width),
        bqkv=weights(3 * width),
        Wo=weights(width, width),
        W1=weights(width, 4 * width),
        W2=weights(4 * width, width),
        g1=weights(width),
        h1=weights(width),
        zero=np.array([0]),
        two=np.array([2]),
        apart=np.array([heads, width // heads]),
        scale=np.array(0.35, np.float32),
        root=np.array(2**0.5, np.float32),
        one=np.array(1, np.float32),
    )


class Calibration(CalibrationDataReader):
    def __init__(self, samples):
        self.rest = iter([{"x": each} for each in samples])

    def get_next(self):
        return next(self.rest, None)


def quantised(model, folder):
    """In 8 bits, as QDQ, calibrated on samples of its own."""
    quantize_static(
        model,
        folder / "quantised.onnx",
        Calibration(RANDOM.standard_normal((16, 1, 3, 21, 19)).astype(np.float32)),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    return onnx.load(folder / "quantised.onnx")


def port(value):
    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    return {"name": value.name, "dtype": dtype, "shape": [d.dim_value or d.dim_param for d in tensor.shape.dim]}


def sampled(shape, dtype):
    if np.issubdtype(dtype, np.integer):
        return RANDOM.integers(0, 5, shape).astype(dtype)
    return RANDOM.standard_normal(shape).astype(dtype)


def write(model, folder):
    for name in ("ir", "samples"):
        (folder / name).mkdir(parents=True)
    onnx.save(model, folder / "ir" / "model.onnx")
    constants = {each.name for each in model.graph.initializer}
    inputs = [port(value) for value in model.graph.input if value.name not in constants]
    outputs = [port(value) for value in model.graph.output]
    contract = {"version": "dlpipe.io/1", "inputs": inputs, "outputs": outputs}
    (folder / "ir" / "contract.json").write_text(json.dumps(contract))
    shapes = {each["name"]: [d if isinstance(d, int) else 1 for d in each["shape"]] for each in inputs}
    dtypes = {each["name"]: each["dtype"] for each in inputs}
    samples = {name: sampled([3, *shape], dtypes[name]) for name, shape in shapes.items()}
    np.savez(folder / "samples" / "samples.npz", **samples)
    options = onnxruntime.SessionOptions()
    # Without fusions: a quantised model is then computed just as its operators say.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runs = [session.run(None, {name: values[i] for name, values in samples.items()}) for i in range(3)]
    arrays = {f"y{index}": np.stack([run[index] for run in runs]) for index in range(len(outputs))}
    np.savez(folder / "reference.npz", **arrays)


def main(out, given):
    for model in made():
        write(model, out / model.graph.name)
        if model.graph.name == "branches":
            write(convert_float_to_float16(model, keep_io_types=True), out / "half")
            write(model, out / "apart")
            path = out / "apart" / "ir" / "model.onnx"
            onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    write(scan(), out / "scan")
    write(residual(), out / "residual")
    write(encoder(), out / "encoder")
    write(quantised(residual(), out), out / "quantised")
    for name, file in (each.split("=", 1) for each in given):
        write(onnx.load(file), out / name)
        shutil.copyfile(file, out / name / "ir" / "model.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
