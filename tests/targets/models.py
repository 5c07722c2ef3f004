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
    yield graph("cumsum", [node("CumSum", ["x", "axis"], ["y"])], [("x", [1, 5])], [("y", [1, 5])], axis=np.array(1))
    yield graph("free", [node("Relu", ["x"], ["y"])], [("x", [1, 3, "height"])], [("y", [1, 3, "height"])])


def port(value):
    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    return {"name": value.name, "dtype": dtype, "shape": [d.dim_value or d.dim_param for d in tensor.shape.dim]}


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
    samples = {name: RANDOM.standard_normal([3, *shape]).astype(np.float32) for name, shape in shapes.items()}
    np.savez(folder / "samples" / "samples.npz", **samples)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runs = [session.run(None, {name: values[i] for name, values in samples.items()}) for i in range(3)]
    arrays = {f"y{index}": np.stack([run[index] for run in runs]) for index in range(len(outputs))}
    np.savez(folder / "reference.npz", **arrays)


def main(out, given):
    for model in made():
        write(model, out / model.graph.name)
        if model.graph.name == "branches":
            write(convert_float_to_float16(model, keep_io_types=True), out / "half")
    for name, file in (each.split("=", 1) for each in given):
        write(onnx.load(file), out / name)
        shutil.copyfile(file, out / name / "ir" / "model.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
