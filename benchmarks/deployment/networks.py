"""Networks of random weights, as exporters write them: `python networks.py OUT`, in the core toolchain.

A MobileNetV2-like net (inverted residuals, ReLU6), a transformer encoder of two layers (operator set 17), and a
perceptron that fits a small FPGA.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Nodes and weights, under names as they come."""

    def __init__(self, seed):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(seed)

    def weight(self, *shape, scale=1.0):
        value = (self.random.standard_normal(shape) * scale).astype(np.float32)
        return self.constant(value)

    def constant(self, value):
        self.weights.append(numpy_helper.from_array(np.asarray(value), f"w{len(self.weights)}"))
        return self.weights[-1].name

    def node(self, op, *inputs, **attributes):
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}:0"], name=name, **attributes))
        return f"{name}:0"

    def save(self, path, x, y):
        info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (x, y)]
        graph = helper.make_graph(self.nodes, path.stem, info[:1], info[1:], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def convolution(net, x, inside, outside, kernel, stride=1, group=1, clip=True):
    fan = inside // group * kernel * kernel
    w = net.weight(outside, inside // group, kernel, kernel, scale=(2 / fan) ** 0.5)
    pad = kernel // 2
    x = net.node("Conv", x, w, net.weight(outside, scale=0.1), pads=[pad] * 4, strides=[stride] * 2, group=group)
    return net.node("Clip", x, net.constant(np.float32(0)), net.constant(np.float32(6))) if clip else x


def mobilenet(path):
    net = Net(1)
    x, channels = convolution(net, "image", 3, 16, 3, stride=2), 16
    for outside, stride, expansion in ((16, 1, 1), (24, 2, 6), (24, 1, 6), (32, 2, 6), (32, 1, 6), (64, 2, 6)):
        inner, before = channels * expansion, x
        x = convolution(net, x, channels, inner, 1) if expansion > 1 else x
        x = convolution(net, x, inner, inner, 3, stride=stride, group=inner)
        x = convolution(net, x, inner, outside, 1, clip=False)
        x = net.node("Add", x, before) if stride == 1 and outside == channels else x
        channels = outside
    x = net.node("GlobalAveragePool", convolution(net, x, channels, 256, 1))
    x = net.node("Gemm", net.node("Flatten", x), net.weight(256, 10, scale=0.1), net.weight(10, scale=0.1))
    net.nodes[-1].output[0] = "scores"
    net.save(path, ("image", [1, 3, 96, 96]), ("scores", [1, 10]))


def attention(net, x, width, heads, length):
    def projected(order):
        y = net.node("MatMul", x, net.weight(width, width, scale=width**-0.5))
        y = net.node("Reshape", y, net.constant(np.array([1, length, heads, width // heads])))
        return net.node("Transpose", y, perm=order)

    scores = net.node("MatMul", projected([0, 2, 1, 3]), projected([0, 2, 3, 1]))
    scores = net.node("Softmax", net.node("Mul", scores, net.constant(np.float32((width // heads) ** -0.5))), axis=-1)
    y = net.node("Transpose", net.node("MatMul", scores, projected([0, 2, 1, 3])), perm=[0, 2, 1, 3])
    y = net.node("Reshape", y, net.constant(np.array([1, length, width])))
    return net.node("MatMul", y, net.weight(width, width, scale=width**-0.5))


def gelu(net, x):
    inner = net.node("Erf", net.node("Mul", x, net.constant(np.float32(0.5**0.5))))
    inner = net.node("Add", inner, net.constant(np.float32(1)))
    return net.node("Mul", net.node("Mul", x, inner), net.constant(np.float32(0.5)))


def normed(net, x, width):
    return net.node("LayerNormalization", x, net.constant(np.ones(width, np.float32)), net.weight(width, scale=0.1))


def encoder(path, width=64, heads=4, length=32):
    net = Net(2)
    x = "tokens"
    for _ in range(2):
        x = net.node("Add", x, attention(net, normed(net, x, width), width, heads, length))
        y = gelu(net, net.node("MatMul", normed(net, x, width), net.weight(width, 4 * width, scale=width**-0.5)))
        x = net.node("Add", x, net.node("MatMul", y, net.weight(4 * width, width, scale=0.5 * width**-0.5)))
    normed(net, x, width)
    net.nodes[-1].output[0] = "encoded"
    net.save(path, ("tokens", [1, length, width]), ("encoded", [1, length, width]))


def perceptron(path, widths=(16, 16, 8, 5)):
    net = Net(3)
    x = "features"
    for inside, outside in itertools.pairwise(widths):
        weights = net.weight(inside, outside, scale=(2 / inside) ** 0.5)
        x = net.node("Gemm", x, weights, net.weight(outside, scale=0.1))
        x = net.node("Relu", x) if outside != widths[-1] else x
    net.nodes[-1].output[0] = "scores"
    net.save(path, ("features", [1, widths[0]]), ("scores", [1, widths[-1]]))


if __name__ == "__main__":
    mobilenet(Path(sys.argv[1], "mobilenetv2-like.onnx"))
    encoder(Path(sys.argv[1], "encoder.onnx"))
    perceptron(Path(sys.argv[1], "perceptron.onnx"))
