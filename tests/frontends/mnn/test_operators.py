"""Operators against MNN itself: ONNX graphs, many operators side by side, through MNN's own converter."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import difference

HEAD = '<ir_version: 8, opset_import: ["" : 13]> net '
# Each line makes one output of the same name as its number.
IMAGE = [
    "Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, w4433, b4)",
    "Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [0, 1, 1, 0]>(x, w4433)",
    "Conv<kernel_shape = [3, 3], dilations = [2, 2]>(x, w4433)",
    'Conv<kernel_shape = [3, 3], strides = [2, 2], auto_pad = "SAME_UPPER">(x, w4433)',
    "Conv<kernel_shape = [3, 3], group = 4, pads = [1, 1, 1, 1]>(x, w4133, b4)",
    "Conv<kernel_shape = [3, 3], group = 2>(x, w4233)",
    "ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>(x, w4433, b4)",
    "ConvTranspose<kernel_shape = [3, 3], strides = [2, 2], group = 4>(x, w4133)",
    "MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x)",
    "MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(x)",
    "AveragePool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x)",
    "AveragePool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], count_include_pad = 1>(x)",
    "GlobalAveragePool(x)",
    "GlobalMaxPool(x)",
    "PRelu(x, w411)",
    "LeakyRelu<alpha = 0.2>(x)",
    "HardSwish(x)",
    "Clip(x, low, high)",
    "Softmax<axis = 1>(x)",
    "Softmax<axis = 3>(x)",
    "ReduceMean<axes = [2, 3], keepdims = 0>(x)",
    "ReduceMax<axes = [1], keepdims = 1>(x)",
    "ReduceSum(x, axes1)",
    "Transpose<perm = [0, 2, 3, 1]>(x)",
    "Concat<axis = 1>(x, y)",
    "Concat<axis = 2>(x, y)",
    "Add(x, y)",
    "Sub(x, y)",
    "Mul(x, w411)",
    "Max(x, y)",
    "Reshape(x, to_rows)",
    "Flatten<axis = 1>(x)",
    "Slice(x, one2, four2, axes23)",
    "Slice(x, zero1, minus1, axes3, two1)",
    "Pad(x, pads8)",
    "Gather<axis = 1>(x, places)",
    "Unsqueeze(x, axes1)",
    'Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">(x, , twice)',
    'Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(x, , twice)',
    'Resize<mode = "linear", coordinate_transformation_mode = "align_corners">(x, , , size4)',
    "DepthToSpace<blocksize = 2>(x)",
    'DepthToSpace<blocksize = 2, mode = "CRD">(x)',
    "Tile(x, repeats)",
]
PLAIN = [
    "Relu",
    "Sigmoid",
    "Tanh",
    "Elu",
    "Selu",
    "Exp",
    "Abs",
    "Neg",
    "Floor",
    "Ceil",
    "Erf",
    "Softplus",
    "Sin",
    "Cos",
]
WEIGHTS = {"w4433": [4, 4, 3, 3], "w4133": [4, 1, 3, 3], "w4233": [4, 2, 3, 3], "b4": [4], "w411": [4, 1, 1]}
INTS = {
    "to_rows": [1, 4, 63],
    "one2": [1, 2], "four2": [5, 6], "axes23": [2, 3], "zero1": [0], "minus1": [-1], "axes3": [3],
    "two1": [2], "pads8": [0, 0, 1, 2, 0, 0, 2, 1], "places": [2, 0, 0], "axes1": [1], "size4": [1, 4, 12, 20],
    "repeats": [1, 2, 1, 2],
}  # fmt: skip
CONSTANTS = "twice = Constant<value_floats = [1.0, 1.0, 2.0, 2.0]>() low = Constant<value_float = -0.5>() "
CONSTANTS += "high = Constant<value_float = 0.7>()"


def graph(calls: list[str], inputs: str, before: str = "") -> str:
    outputs = ", ".join(f"float[] out{index}" for index in range(len(calls)))
    lines = "\n".join(f"out{index} = {call}" for index, call in enumerate(calls))
    return f"{HEAD}({inputs}) => ({outputs.replace('float[]', 'float')}) {{ {before}\n{lines} }}"


def test_images(mnn: Any, bench: Any) -> None:
    calls = IMAGE + [f"{name}(x)" for name in PLAIN]
    text = graph(calls, "float[1, 4, 9, 7] x, float[1, 4, 9, 7] y", CONSTANTS)
    model = bench.build(text, weights=WEIGHTS, ints=INTS, scale=0.3)
    apart = difference(*mnn.run(mnn.made(model)))
    wrong = {calls[int(name[3:])]: value for name, value in apart.items() if not value <= 1e-4}
    assert not wrong


def test_matrices(mnn: Any, bench: Any) -> None:
    calls = ["MatMul(x, m65)", "Gemm<transB = 1>(flat, m730, b7)", "Softmax<axis = 2>(x)", "MatMul(x, turned)"]
    before = "flat = Flatten<axis = 1>(x) turned = Transpose<perm = [0, 2, 1]>(x)"
    text = graph(calls, "float[1, 5, 6] x", before)
    model = bench.build(text, weights={"m65": [6, 5], "m730": [7, 30], "b7": [7]})
    apart = difference(*mnn.run(mnn.made(model)))
    assert max(apart.values()) <= 1e-4, apart


@pytest.mark.parametrize(
    "options",
    ["--fp16", "--weightQuantBits 8", "--weightQuantBits 4", "--weightQuantBits 8 --weightQuantAsymmetric 0"],
)
def test_stored_weights(mnn: Any, bench: Any, options: str) -> None:
    """Halves, and 8 or 4 bits with their tables, are read as MNN reads them."""
    text = graph(["Conv<kernel_shape = [3, 3]>(made, w4433, b4)"], "float[1, 4, 9, 7] x", "made = Conv(x, w4411)")
    model = bench.build(text, weights={**WEIGHTS, "w4411": [4, 4, 1, 1]})
    wanted, found = mnn.run(mnn.made(model, *options.split()))
    assert max(difference(wanted, found).values()) <= 1e-4
