"""Scales and offsets before linear operators, and two linear operators in a row."""

from __future__ import annotations

import pytest

IMAGE = "(float[2,4,7,7] x) => (float[2,6,h,k] y)"
ROWS = "(float[3,4] x) => (float[3,6] y)"
FOLDED = {
    "scale, padded": (IMAGE, "a = Mul(x, s)  y = Conv<pads = [1,1,1,1]>(a, w)", {"Conv": 1}),
    "offset": (IMAGE, "a = Add(x, s)  y = Conv(a, w, c)", {"Conv": 1}),
    "a picture": (IMAGE, "a = Mul(x, number)  u = Sub(a, s)  d = Div(u, s_positive)  y = Conv(d, w)", {"Conv": 1}),
    "reversed": (IMAGE, "a = Sub(s, x)  y = Conv(a, w, c)", {"Conv": 1}),
    "groups": (IMAGE, "a = Mul(x, s)  u = Add(a, s)  y = Conv<group = 2>(u, w2, c)", {"Conv": 1}),
    "batch norm": (IMAGE, "a = BatchNormalization(x, g, b, m, v_positive)  y = Conv(a, w)", {"Conv": 1}),
    "transposed": (IMAGE, "a = Mul(x, s)  y = ConvTranspose(a, wt, c)", {"ConvTranspose": 1}),
    "gemm": (ROWS, "a = Mul(x, g)  b2 = Add(a, b)  y = Gemm<alpha = 0.5, beta = 2.0>(b2, wm, c)", {"Gemm": 1}),
    "gemm, turned": (ROWS, "a = Mul(x, g)  b2 = Add(a, b)  y = Gemm<transB = 1, alpha = 0.5>(b2, wn)", {"Gemm": 1}),
    "matmul": (ROWS, "a = Mul(x, g)  y = MatMul(a, wm)", {"MatMul": 1}),
    "matmul, offset": (ROWS, "a = Add(x, g)  y = MatMul(a, wm)", {"Gemm": 1}),
    "scale of many dims": ("(float[2,3,4] x) => (float[2,3,6] y)", "a = Mul(x, g)  y = MatMul(a, wm)", {"MatMul": 1}),
}
LEFT = {
    "offset, padded": (IMAGE, "a = Add(x, s)  y = Conv<pads = [1,1,1,1]>(a, w)"),
    "offset, same": (IMAGE, 'a = Add(x, s)  y = Conv<auto_pad = "SAME_UPPER">(a, w)'),
    "offset, transposed": (IMAGE, "a = Add(x, s)  y = ConvTranspose(a, wt)"),
    "offset of many dims": ("(float[2,3,4] x) => (float[2,3,6] y)", "a = Add(x, g)  y = MatMul(a, wm)"),
    "read": (IMAGE.replace("y)", "y, float[2,4,7,7] a)"), "a = Mul(x, s)  y = Conv(a, w)"),
    "makes the channels": ("(float[2,1,7,7] x) => (float[2,6,h,k] y)", "a = Mul(x, s)  y = Conv(a, w)"),
    "not per channel": (IMAGE, "a = Mul(x, columns)  y = Conv(a, w)"),
    "turned input": ("(float[4,3] x) => (float[3,6] y)", "a = Mul(x, g3)  y = Gemm<transA = 1>(a, wm)"),
}
WEIGHTS = {
    "w": [6, 4, 3, 3],
    "w2": [6, 2, 3, 3],
    "wt": [4, 6, 3, 3],
    "c": [6],
    "wm": [4, 6],
    "wn": [6, 4],
    "number": [1],
    "s": [1, 4, 1, 1],
    "s_positive": [4, 1, 1],
    "g": [4],
    "g3": [3],
    "b": [4],
    "m": [4],
    "v_positive": [4],
    "columns": [7],
}
MERGED = {
    "gemm": (ROWS, "a = Gemm<alpha = 0.5>(x, m1, c8)  y = Gemm<transB = 1, beta = 2.0>(a, m2t, c)", {"Gemm": 1}),
    "matmul": (ROWS, "a = MatMul(x, m1)  y = MatMul(a, m2)", {"MatMul": 1}),
    "matmul and gemm": (ROWS, "a = MatMul(x, m1)  y = Gemm(a, m2, c)", {"Gemm": 1}),
    "of many dims": ("(float[2,3,4] x) => (float[2,3,6] y)", "a = MatMul(x, m1)  y = MatMul(a, m2)", {"MatMul": 1}),
    "three": (ROWS, "a = MatMul(x, m1)  b2 = MatMul(a, m3)  y = MatMul(b2, m2)", {"MatMul": 1}),
    "pointwise": (
        IMAGE,
        "a = Conv<pads = [1,1,1,1], strides = [2,2]>(x, k1, c8)  y = Conv(a, k2, c)",
        {"Conv": 1},
    ),
}
APART = {
    "a bottleneck": ("(float[3,8] x) => (float[3,8] y)", "a = MatMul(x, n1)  y = MatMul(a, n2)"),
    "padded between": (IMAGE, "a = Conv(x, k1)  y = Conv<pads = [1,1,1,1]>(a, k2)"),
    "no pointwise": (IMAGE, "a = Conv(x, k1)  y = Conv(a, k3)"),
    "groups": (IMAGE, "a = Conv<group = 2>(x, k4)  y = Conv(a, k2)"),
    "read": ("(float[3,4] x) => (float[3,6] y, float[3,8] a)", "a = MatMul(x, m1)  y = MatMul(a, m2)"),
    "an offset of many dims": (
        "(float[2,3,4] x) => (float[2,3,6] y)",
        "a = MatMul(x, m1)  b2 = Add(a, c8)  y = MatMul(b2, m2)",
    ),
}
LAYERS = {
    "m1": [4, 8],
    "m2": [8, 6],
    "m2t": [6, 8],
    "m3": [8, 8],
    "c8": [8],
    "c": [6],
    "n1": [8, 2],
    "n2": [2, 8],
    "k1": [8, 4, 3, 3],
    "k2": [6, 8, 1, 1],
    "k3": [6, 8, 3, 3],
    "k4": [8, 2, 3, 3],
}


def check(found, cases):
    for name, [[before, step]] in found.items():
        assert "raised" not in step, (name, step)
        assert step["error"] < 1e-5, (name, step)
        assert not step["again"], name
        wanted = cases[name][2] if len(cases[name]) > 2 else before["operators"]
        assert step["operators"] == wanted, name


@pytest.mark.parametrize(
    ("name", "cases", "weights"),
    [("fold-before", {**FOLDED, **LEFT}, WEIGHTS), ("merge-linear", {**MERGED, **APART}, LAYERS)],
)
def test_folded_where_it_may_be(try_many, name, cases, weights):
    texts = {
        label: {"text": f'<ir_version: 8, opset_import: ["" : 18]> g {head} {{ {nodes} }}', "weights": weights}
        for label, (head, nodes, *_) in cases.items()
    }
    found = try_many(texts, [[name]])
    assert len(found) == len(cases)
    check(found, cases)


@pytest.mark.parametrize("name", ["fold-before", "merge-linear"])
def test_weights_stay_finite(try_many, name):
    """1e30 * 1e30 is no float32."""
    graph = "(float[3,4] x) => (float[3,6] y) { a = Mul(x, g)  u = Gemm(a, m1)  y = Gemm(u, m2) }"
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {graph}'
    case = {"text": text, "weights": {"g": [4], "m1": [4, 8], "m2": [8, 6]}, "scale": 1e30}
    [[before, step]] = try_many({"large": case}, [[name]])["large"]
    assert step["operators"] == before["operators"]
