"""Small nets for circuits, with samples. Run by the core toolchain: python models.py OUT.

Writes OUT/<name>/float (model.onnx, contract.json) and OUT/<name>/samples (samples.npz); OUT/shapes/labels.npy too.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(3)
node = helper.make_node


def weights(*shape):
    return (RANDOM.standard_normal(shape) * 0.5).astype(np.float32)


def graph(name, nodes, inputs, outputs, **constants):
    ports = [
        [helper.make_tensor_value_info(port, TensorProto.FLOAT, shape) for port, shape in side]
        for side in (inputs, outputs)
    ]
    initializers = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, name, *ports, initializers),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def shapes(count):
    """Four shapes on 4 x 4 pixels, with noise, and their numbers."""
    crosses = np.eye(4), np.eye(4)[::-1], np.outer([0, 1, 1, 0], np.ones(4)), np.outer(np.ones(4), [0, 1, 1, 0])
    labels = RANDOM.integers(0, 4, count)
    images = np.array(crosses, np.float32)[labels] + RANDOM.normal(0, 0.3, (count, 4, 4)).astype(np.float32)
    return np.clip(images, 0, 1).reshape(count, 16), labels


def trained():
    """16-6-4 by gradient descent."""
    images, labels = shapes(400)
    first, second = weights(16, 6), weights(6, 4)
    for _ in range(300):
        hidden = np.maximum(images @ first, 0)
        scores = hidden @ second
        chances = np.exp(scores - scores.max(1, keepdims=True))
        wrong = chances / chances.sum(1, keepdims=True) - np.eye(4)[labels]
        back = (wrong @ second.T) * (hidden > 0)
        second -= (0.5 / len(images)) * (hidden.T @ wrong).astype(np.float32)
        first -= (0.5 / len(images)) * (images.T @ back).astype(np.float32)
    return first, second


def made():
    """(model, samples); each is here for one reason."""
    first, second = trained()
    images, labels = shapes(60)
    yield (  # learnt, with an open batch and biases
        graph(
            "shapes",
            [
                node("Gemm", ["x", "W", "b"], ["h"], name="hidden"),
                node("Relu", ["h"], ["r"]),
                node("Gemm", ["r", "V"], ["y"], name="scores"),
            ],
            [("x", ["N", 16])],
            [("y", ["N", 4])],
            W=first,
            b=weights(6),
            V=second,
        ),
        images,
        labels,
    )
    yield (  # windows, padding, both ways of pooling, and a softmax that the host computes
        graph(
            "windows",
            [
                node("Conv", ["x", "K", "k"], ["c"], name="conv", pads=[1, 1, 1, 1]),
                node("Relu", ["c"], ["r"]),
                node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
                node("Conv", ["m", "D"], ["d"], name="depthwise", group=2, strides=[2, 2], pads=[0, 0, 1, 1]),
                node("AveragePool", ["d"], ["a"], kernel_shape=[2, 2]),
                node("Flatten", ["a"], ["f"]),
                node("Gemm", ["f", "W"], ["s"], transB=1),
                node("Softmax", ["s"], ["y"]),
            ],
            [("x", [1, 1, 6, 6])],
            [("y", [1, 3])],
            K=weights(2, 1, 3, 3),
            k=weights(2),
            D=weights(2, 1, 2, 2),
            W=weights(3, 2),
        ),
        RANDOM.random((20, 1, 6, 6), np.float32),
        None,
    )
    yield (  # what hls4ml reads too, whose images have their channels last
        graph(
            "pixels",
            [
                node("Conv", ["x", "K", "k"], ["c"], name="conv", kernel_shape=[3, 3]),
                node("Relu", ["c"], ["r"]),
                node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
                node("Flatten", ["m"], ["f"]),
                node("Gemm", ["f", "W", "w"], ["y"], name="scores"),
            ],
            [("x", [1, 2, 6, 6])],
            [("y", [1, 3])],
            K=weights(2, 2, 3, 3),
            k=weights(2),
            W=weights(8, 3),
            w=weights(3),
        ),
        RANDOM.random((20, 2, 6, 6), np.float32),
        None,
    )
    yield (  # scales that meet, a table, and two outputs
        graph(
            "meeting",
            [
                node("Gemm", ["x", "W"], ["g"]),
                node("Sigmoid", ["g"], ["s"], name="table"),
                node("MatMul", ["x", "V"], ["v"]),
                node("Add", ["s", "v"], ["a"]),
                node("Gemm", ["a", "U"], ["y"]),
                node("Tanh", ["v"], ["z"]),
            ],
            [("x", [1, 5])],
            [("y", [1, 2]), ("z", [1, 4])],
            W=weights(5, 4),
            V=weights(5, 4) * 3,
            U=weights(4, 2),
        ),
        RANDOM.standard_normal((20, 5)).astype(np.float32),
        None,
    )
    yield (
        graph(
            "sorted",
            [
                node("Gemm", ["x", "W"], ["g"]),
                node("TopK", ["g", "k"], ["y", "i"], name="best"),
                node("Identity", ["y"], ["z"]),
            ],
            [("x", [1, 5])],
            [("z", [1, 2])],
            W=weights(5, 4),
            k=np.array([2]),
        ),
        RANDOM.standard_normal((4, 5)).astype(np.float32),
        None,
    )
    yield (  # weights that are all large, and more of them than a small device has room for
        graph(
            "large",
            [node("Gemm", ["x", "W"], ["y"], name="dense")],
            [("x", [1, 40])],
            [("y", [1, 40])],
            W=weights(40, 40),
        ),
        RANDOM.standard_normal((8, 40)).astype(np.float32),
        None,
    )


def main(out):
    for model, samples, labels in made():
        folder = out / model.graph.name
        for name in ("float", "samples"):
            (folder / name).mkdir(parents=True)
        onnx.save(model, folder / "float" / "model.onnx")
        constants = {each.name for each in model.graph.initializer}
        ports = [
            [
                {
                    "name": v.name,
                    "dtype": "float32",
                    "shape": [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim],
                }
                for v in side
                if v.name not in constants
            ]
            for side in (model.graph.input, model.graph.output)
        ]
        contract = {"version": "dlpipe.io/1", "inputs": ports[0], "outputs": ports[1]}
        (folder / "float" / "contract.json").write_text(json.dumps(contract))
        np.savez(folder / "samples" / "samples.npz", x=samples[:, None])
        if labels is not None:
            np.save(out / f"{model.graph.name}.npy", labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
