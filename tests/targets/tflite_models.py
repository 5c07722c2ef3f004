"""Small models, one for each rule of the translation to TFLite, with samples and ONNX Runtime's answers.

Run by the core toolchain: python tflite_models.py OUT. Writes OUT/<name>/{ir,samples,reference.npz} as models.py does.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parent))
import models as shared

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node, weights = helper.make_node, shared.weights
IMAGE = ("x", [1, 3, 8, 9], F)


def graph(nodes, inputs, outputs, opset=20, **constants):
    """outputs: name -> dtype; shapes are inferred."""
    stored = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    ports = [helper.make_tensor_value_info(name, kind, shape) for name, shape, kind in inputs]
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    made = helper.make_graph(nodes, "g", ports, results, stored)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def one(op, *more, given=IMAGE, kind=F, opset=20, **attributes):
    """A model of one operator: the input, then these constants."""
    names = [f"c{index}" for index in range(len(more))]
    constants = {name: value for name, value in zip(names, more, strict=True) if value is not None}
    inputs = [given[0], *(name if name in constants else "" for name in names)]
    return graph([node(op, inputs, ["y"], **attributes)], [given], {"y": kind}, opset, **constants)


def vector(*values):
    return np.array(values, np.int64)


def windows():
    k = weights(4, 3, 3, 3)
    yield "conv_same", one("Conv", k, weights(4), auto_pad="SAME_UPPER", strides=[2, 2])
    yield "conv_lower", one("Conv", k, auto_pad="SAME_LOWER", strides=[2, 2])
    yield "conv_odd_pads", one("Conv", k, weights(4), pads=[2, 0, 1, 3], strides=[2, 1])
    yield "conv_dilated", one("Conv", k, pads=[2, 2, 2, 2], dilations=[2, 2])
    yield "conv_depthwise", one("Conv", weights(6, 1, 3, 3), weights(6), group=3, pads=[1, 1, 1, 1])
    yield "conv_grouped", one("Conv", weights(8, 2, 3, 3), given=("x", [1, 4, 6, 6], F), group=2)
    yield "conv_row", one("Conv", weights(5, 3, 4), weights(5), given=("x", [1, 3, 16], F), strides=[2], pads=[1, 2])
    yield "transposed", one("ConvTranspose", weights(3, 4, 3, 3), weights(4), strides=[2, 2], pads=[1, 1, 1, 1])
    yield "transposed_extra", one("ConvTranspose", weights(3, 4, 2, 2), strides=[2, 2], output_padding=[1, 1])
    yield "max_pads", one("MaxPool", kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[2, 2])
    yield "max_ceil", one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    yield "mean_pads", one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    yield "mean_odd_pads", one("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 0, 1], strides=[2, 2])
    yield "mean_with_pads", one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    yield "mean_ceil", one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, opset=19)
    yield "mean_row", one("AveragePool", given=("x", [1, 3, 16], F), kernel_shape=[4], strides=[2])
    yield "global_mean", one("GlobalAveragePool")
    residual = [  # as in MobileNetV2
        node("Conv", ["x", "W"], ["a"]),
        node("Clip", ["a", "zero", "six"], ["b"]),
        node("Conv", ["b", "D"], ["c"], group=12, pads=[1, 1, 1, 1]),
        node("Clip", ["c", "zero", "six"], ["d"]),
        node("Conv", ["d", "P"], ["e"]),
        node("Add", ["e", "x"], ["y"]),
    ]
    constants = {"W": 4 * weights(12, 3, 1, 1), "D": weights(12, 1, 3, 3), "P": weights(3, 12, 1, 1)}
    limits = {"zero": np.float32(0), "six": np.float32(6)}
    yield "inverted_residual", graph(residual, [IMAGE], {"y": F}, **constants, **limits)
    yield "global_max", one("GlobalMaxPool")


def matrices():
    row = ("x", [1, 12], F)
    yield "gemm", one("Gemm", weights(12, 5), weights(5), given=row, alpha=0.5, beta=2.0)
    yield "gemm_turned", one("Gemm", weights(5, 12), weights(1), given=row, transB=1)
    yield "matmul_stack", one("MatMul", weights(7, 5), given=("x", [1, 4, 7], F))
    both = [("a", [2, 3, 4], F), ("b", [2, 4, 5], F)]
    yield "matmul_both", graph([node("MatMul", ["a", "b"], ["y"])], both, {"y": F})
    turned = [node("Transpose", ["b"], ["t"], perm=[0, 2, 1]), node("MatMul", ["a", "t"], ["y"])]
    yield "matmul_turned", graph(turned, [both[0], ("b", [2, 5, 4], F)], {"y": F})
    added = [node("MatMul", ["x", "W"], ["m"]), node("Add", ["m", "b"], ["s"]), node("Relu", ["s"], ["y"])]
    yield "matmul_added", graph(added, [("x", [1, 4, 7], F)], {"y": F}, W=weights(7, 5), b=weights(5))
    flat = [
        node("Conv", ["x", "K"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("Gemm", ["f", "W", "b"], ["y"], transB=1),
    ]
    yield "flattened", graph(flat, [IMAGE], {"y": F}, K=weights(4, 3, 3, 3), W=weights(6, 4 * 6 * 7), b=weights(6))


def elements():
    for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Neg", "Abs", "Floor", "Ceil", "Round", "Sin", "Cos", "Sign"):
        yield op.lower(), one(op)
    for op in ("HardSwish", "Elu", "Gelu", "HardSigmoid", "Mish"):
        yield op.lower(), one(op)
    for op in ["Softplus", "Softsign", "Selu", "Celu", "Erf", "Identity"]:
        yield op.lower(), one(op)
    positive = [node("Abs", ["x"], ["a"]), node("Add", ["a", "half"], ["p"])]
    for op in ("Sqrt", "Log", "Reciprocal"):
        model = graph([*positive, node(op, ["p"], ["y"])], [IMAGE], {"y": F}, half=np.float32(0.5))
        yield f"{op.lower()}_of_positive", model
    yield "gelu_tanh", one("Gelu", approximate="tanh")
    yield "leaky", one("LeakyRelu", alpha=0.2)
    yield "prelu", one("PRelu", weights(3, 1, 1))
    yield "clip", one("Clip", np.float32(-0.3), np.float32(0.7))
    yield "clip_six", one("Clip", np.float32(0), np.float32(6))
    yield "clip_above", one("Clip", None, np.float32(0.5))
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"):
        yield f"{op.lower()}_channels", one(op, np.abs(weights(3, 1, 1)) + 0.5)
    laid = [  # one operand has its channels last, the other the graph's order
        node("Conv", ["x", "K"], ["c"], pads=[1, 1, 1, 1]),
        node("Add", ["c", "x"], ["s"]),
        node("Relu", ["s"], ["r"]),
        node("Mul", ["r", "last"], ["y"]),
    ]
    yield "mixed_orders", graph(laid, [IMAGE], {"y": F}, K=weights(3, 3, 3, 3), last=weights(9))
    for op in ("Less", "Greater", "GreaterOrEqual", "Equal"):
        yield (
            f"{op.lower()}_zero",
            graph(
                [node(op, ["x", "z"], ["b"]), node("Where", ["b", "x", "z"], ["y"])], [IMAGE], {"y": F}, z=np.float32(0)
            ),
        )
    logic = [
        node("Greater", ["x", "z"], ["g"]),
        node("Less", ["x", "o"], ["l"]),
        node("And", ["g", "l"], ["a"]),
        node("Xor", ["a", "g"], ["e"]),
        node("Not", ["e"], ["n"]),
        node("Cast", ["n"], ["y"], to=F),
    ]
    yield "logic", graph(logic, [IMAGE], {"y": F}, z=np.float32(0), o=np.float32(1))
    yield "sum_of_three", graph([node("Sum", ["x", "x", "c"], ["y"])], [IMAGE], {"y": F}, c=weights(3, 1, 1))


def moves():
    yield "transpose", one("Transpose", perm=[0, 2, 3, 1])
    conv = node("Conv", ["x", "K"], ["c"])
    behind = {
        "reshape": [node("Reshape", ["c", "s"], ["y"])],
        "reshape_then_softmax": [node("Reshape", ["c", "s"], ["r"]), node("Softmax", ["r"], ["y"], axis=1)],
        "softmax_channels": [node("Softmax", ["c"], ["y"], axis=1)],
        "squeezed": [node("ReduceMax", ["c", "last"], ["m"], keepdims=1), node("Squeeze", ["m", "last"], ["y"])],
        "split": [node("Split", ["c"], ["p", "q"], axis=1, num_outputs=2), node("Concat", ["q", "p"], ["y"], axis=1)],
        "mean_spatial": [node("ReduceMean", ["c", "spatial"], ["y"], keepdims=0)],
        "mean_channels": [node("ReduceMean", ["c", "first"], ["y"], keepdims=0)],
        "transposed_twice": [node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]), node("Sigmoid", ["t"], ["y"])],
        "slices": [node("Slice", ["c", "starts", "ends", "axes", "steps"], ["y"])],
        "reversed": [node("Slice", ["c", "back", "front", "axis", "minus"], ["y"])],
        "padded": [node("Pad", ["c", "pads", "filling"], ["y"])],
        "reflected": [node("Pad", ["c", "pads"], ["y"], mode="reflect")],
        "tiled": [node("Tile", ["c", "times"], ["y"])],
        "gathered": [node("Gather", ["c", "places"], ["y"], axis=2)],
        "depth_dcr": [node("DepthToSpace", ["c"], ["y"], blocksize=2)],
        "depth_crd": [node("DepthToSpace", ["c"], ["y"], blocksize=2, mode="CRD")],
        "argmax": [node("ArgMax", ["c"], ["a"], axis=1), node("Cast", ["a"], ["y"], to=F)],
        "cumulated": [node("CumSum", ["c", "first"], ["y"])],
        "lrn": [node("LRN", ["c"], ["y"], size=3, alpha=0.1)],
        "instance": [node("InstanceNormalization", ["c", "g", "g"], ["y"])],
        "batch": [node("BatchNormalization", ["c", "g", "g", "g", "v"], ["y"])],
    }
    constants = {
        "K": weights(4, 3, 3, 3), "s": vector(1, 4, -1), "last": vector(3), "spatial": vector(2, 3), "first": vector(1),
        "starts": vector(1, 0), "ends": vector(3, 1000), "axes": vector(1, 3), "steps": vector(1, 2),
        "back": vector(-1), "front": vector(-1000), "axis": vector(2), "minus": vector(-1),
        "pads": vector(0, 0, 1, 2, 0, 0, 2, 1), "filling": np.float32(1.5), "times": vector(1, 1, 2, 1),
        "places": np.array([[0, -1], [2, 1]]), "g": np.abs(weights(4)), "v": np.abs(weights(4)) + 0.5,
    }  # fmt: skip
    for name, nodes in behind.items():
        used = {key: value for key, value in constants.items() if any(key in each.input for each in [conv, *nodes])}
        yield name, graph([conv, *nodes], [IMAGE], {"y": F}, **used)
    yield "space", one("SpaceToDepth", given=("x", [1, 3, 8, 8], F), blocksize=2)
    yield "expand", one("Expand", vector(2, 3, 8, 9))
    yield "embedded", graph(
        [node("Gather", ["T", "i"], ["e"]), node("LayerNormalization", ["e", "g", "h"], ["y"])],
        [("i", [1, 6], I64)], {"y": F}, T=weights(20, 8), g=weights(8), h=weights(8),
    )  # fmt: skip
    yield "rms", one("RMSNormalization", weights(9), opset=23)
    yield "top", graph([node("TopK", ["x", "k"], ["y", "i"])], [("x", [1, 9], F)], {"y": F, "i": I64}, k=vector(3))
    yield "norms", graph(
        [node("ReduceL2", ["x"], ["a"]), node("ReduceL1", ["x"], ["b"]), node("LpNormalization", ["x"], ["c"])],
        [("x", [1, 9], F)], {"a": F, "b": F, "c": F},
    )  # fmt: skip
    yield (
        "same_twice",
        graph([node("Identity", ["x"], ["y"]), node("Identity", ["x"], ["z"])], [IMAGE], {"y": F, "z": F}),
    )


def sizes():
    for name, more in {
        "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        "nearest_usual": {},
        "nearest_odd": {"coordinate_transformation_mode": "align_corners", "nearest_mode": "ceil"},
        "linear": {"mode": "linear"},
        "linear_corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        "linear_asymmetric": {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    }.items():
        yield name, one("Resize", None, None, vector(1, 3, 16, 18), **more)
    yield (
        "linear_down",
        one("Resize", None, np.array([1, 1, 0.5, 0.5], np.float32), mode="linear", given=("x", [1, 3, 8, 10], F)),
    )


def steps():
    x, h = ("x", [5, 1, 6], F), 4
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for way, count in (("forward", 1), ("bidirectional", 2)):
            parts = weights(count, gates * h, 6), weights(count, gates * h, h), weights(count, 2 * gates * h)
            more = {"linear_before_reset": 1} if (op, way) == ("GRU", "bidirectional") else {}
            names = ["y", "h", "c"][: 3 if op == "LSTM" else 2]
            made = node(op, ["x", "W", "R", "B"], names, hidden_size=h, direction=way, **more)
            outputs = dict.fromkeys(names, F)
            yield f"{op.lower()}_{way}", graph([made], [x], outputs, W=parts[0], R=parts[1], B=parts[2])


def rounded(name, scale, zero, kind):
    """A pair of quantisers behind `name`."""
    return [
        node("QuantizeLinear", [name, scale, zero], [name + "_q"]),
        node("DequantizeLinear", [name + "_q", scale, zero], [name + "_d"]),
    ]


def integers():
    """In 8 bits: layers with Relu, a residual sum, pools, a concatenation, and what is in float behind them.

    Weights of 7 bits: ONNX Runtime saturates the sums of larger ones where the processor has no VNNI."""
    for kind, middle in ((np.uint8, 128), (np.int8, 0)):
        low = middle - 128
        constants = {
            "s": np.float32(0.03), "z": kind(middle), "t": np.float32(0.02), "r": kind(low),
            "u": np.float32(0.05), "K": RANDOM.integers(-63, 64, (6, 3, 3, 3)).astype(np.int8),
            "D": RANDOM.integers(-63, 64, (6, 1, 3, 3)).astype(np.int8),
            "k": (RANDOM.random(6) * 0.01 + 0.001).astype(np.float32), "kz": np.zeros(6, np.int8),
            "B": RANDOM.integers(-500, 500, 6).astype(np.int32),
            "W": RANDOM.integers(-63, 64, (10, 12)).astype(np.int8),
            "w": (RANDOM.random(10) * 0.02 + 0.02).astype(np.float32),
            "wz": np.zeros(10, np.int8), "shape": vector(1, -1),
        }  # fmt: skip
        constants["b"] = (constants["s"] * constants["k"]).astype(np.float32)
        nodes = [
            *rounded("x", "s", "z", kind),
            node("DequantizeLinear", ["K", "k", "kz"], ["Kd"], axis=0),
            node("DequantizeLinear", ["D", "k", "kz"], ["Dd"], axis=0),
            node("DequantizeLinear", ["B", "b"], ["Bd"], axis=0),
            node("Conv", ["x_d", "Kd", "Bd"], ["c"], pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["cr"]),
            *rounded("cr", "t", "r", kind),
            node("Conv", ["cr_d", "Dd"], ["d"], pads=[1, 1, 1, 1], group=6),
            *rounded("d", "u", "z", kind),
            node("Add", ["d_d", "cr_d"], ["a"]),
            *rounded("a", "u", "z", kind),
            node("MaxPool", ["a_d"], ["m"], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 1]),
            node("Concat", ["m", "m2"], ["j"], axis=1),
            *rounded("j", "u", "z", kind),
            node("GlobalAveragePool", ["j_d"], ["g"]),
            *rounded("g", "t", "z", kind),
            node("Reshape", ["g_d", "shape"], ["f"]),
            node("DequantizeLinear", ["W", "w", "wz"], ["Wd"], axis=0),
            node("Gemm", ["f", "Wd"], ["l"], transB=1),
            *rounded("l", "s", "z", kind),
            node("Softmax", ["l_d"], ["y"]),
        ]
        nodes.insert(
            [each.op_type for each in nodes].index("Concat"),
            node("MaxPool", ["cr_d"], ["m2"], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 1]),
        )
        yield (
            f"integers_{np.dtype(kind).name}",
            graph(nodes, [("x", ["N", 3, 8, 9], F)], {"y": F, "l_d": F}, **constants),
        )


def mixed():
    """Behind a layer in 8 bits, what no NPU has."""
    constants = {
        "s": np.float32(0.03), "z": np.int8(0), "k": np.float32(0.01), "kz": np.int8(0),
        "K": RANDOM.integers(-63, 64, (6, 3, 3, 3)).astype(np.int8), "axis": vector(1),
    }  # fmt: skip
    nodes = [
        *rounded("x", "s", "z", np.int8),
        node("DequantizeLinear", ["K", "k", "kz"], ["Kd"]),
        node("Conv", ["x_d", "Kd"], ["c"], pads=[1, 1, 1, 1]),
        *rounded("c", "s", "z", np.int8),
        node("CumSum", ["c_d", "axis"], ["y"]),
    ]
    yield "integers_and_floats", graph(nodes, [IMAGE], {"y": F}, **constants)


def combined(group):
    """Those of a group that read an image, as one model with all their outputs: to compile few programs."""
    nodes, stored, outputs = [], {}, {}
    for name, model in group():
        ports, parts = model.graph.input, model.graph
        if [each.name for each in ports] != ["x"] or ports[0] != ALIKE or model.opset_import[0].version != 20:
            continue
        named = {each.name: f"{name}/{each.name}" for each in parts.initializer}
        named |= {each: f"{name}/{each}" for made in parts.node for each in made.output if each}
        for each in parts.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(each)
            copy.input[:] = [named.get(one, one) for one in each.input]
            copy.output[:] = [named.get(one, one) for one in each.output]
            nodes.append(copy)
        stored |= {named[each.name]: numpy_helper.to_array(each) for each in parts.initializer}
        outputs |= {named[each.name]: each.type.tensor_type.elem_type for each in parts.output}
    return graph(nodes, [IMAGE], outputs, **stored)


RANDOM = np.random.default_rng(11)
ALIKE = helper.make_tensor_value_info("x", F, IMAGE[1])
GROUPS = (windows, matrices, elements, moves, sizes, steps, integers, mixed)

if __name__ == "__main__":
    out = Path(sys.argv[1])
    for group in GROUPS:
        for name, model in group():
            shared.write(model, out / name)
    for group in (windows, elements, moves, sizes):
        shared.write(combined(group), out / f"all_{group.__name__}")
