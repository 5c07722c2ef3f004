"""Graphs at the edges of what static int8 takes."""

from __future__ import annotations

import numpy as np
import pytest

from dlpipe.errors import BadModel
from dlpipe.passes.registry import pass_call

CONV = "(float[N,3,H,W] x) => (float[N,4,H,W] y) { a = Conv<pads=[1,1,1,1]>(x, w1, b1)  y = Relu(a) }"
CONV_WEIGHTS = {"w1": [4, 3, 3, 3], "b1": [4]}
CASES = {
    "an input that is read twice": (
        "(float[1,3,6,6] x) => (float[1,4,6,6] y) { a = Conv(x, w1)  b = Conv(x, w2)  y = Add(a, b) }",
        {"w1": [4, 3, 1, 1], "w2": [4, 3, 1, 1]},
    ),
    "an input that is an output": (
        "(float[1,4] x, float[1,4] u) => (float[1,3] y, float[1,4] v) { y = MatMul(x, w)  v = Identity(u) }",
        {"w": [4, 3]},
    ),
    "a sum with itself": (
        "(float[1,3,4,4] x) => (float[1,2,4,4] y) { a = Conv(x, w1)  s = Add(a, a)  y = Conv(s, w2) }",
        {"w1": [4, 3, 1, 1], "w2": [2, 4, 1, 1]},
    ),
    "attention": (
        """(float[2,5,8] x) => (float[2,5,6] y) {
            q = MatMul(x, wq)  k = MatMul(x, wk)  v = MatMul(x, wv)  t = Transpose<perm=[0,2,1]>(k)
            s = MatMul(q, t)  p = Softmax<axis=-1>(s)  o = MatMul(p, v)  y = MatMul(o, wo)
        }""",
        {"wq": [8, 4], "wk": [8, 4], "wv": [8, 4], "wo": [4, 6]},
    ),
    "a split and a concatenation": (
        """(float[1,3,4,4] x) => (float[1,2,4,4] y) {
            a = Conv(x, w1)  p, q = Split<axis=1, num_outputs=2>(a)  c = Concat<axis=1>(q, p)  y = Conv(c, w2)
        }""",
        {"w1": [4, 3, 1, 1], "w2": [2, 4, 1, 1]},
    ),
    "a gate": (
        """(float[1,3,4,4] x) => (float[1,2,4,4] y) {
            a = Conv(x, w1)  g = GlobalAveragePool(a)  h = Conv(g, w2)  s = Sigmoid(h)  m = Mul(a, s)  y = Conv(m, w3)
        }""",
        {"w1": [4, 3, 1, 1], "w2": [4, 4, 1, 1], "w3": [2, 4, 1, 1]},
    ),
    "weights on the left": ("(float[4,3] x) => (float[5,6] y) { a = MatMul(w1, x)  y = MatMul(a, w2) }", {
        "w1": [5, 4], "w2": [3, 6]
    }),
    "weights that are fed": (
        """(float[1,3,4,4] x, float[2,3,1,1] w) => (float[1,2,4,4] y, float[1,2,4,4] z) {
            y = Conv(x, w)  z = Conv(x, w2)
        }""",
        {"w2": [2, 3, 1, 1]},
    ),
    "a bias for each row": ("(float[4,3] x) => (float[4,5] y) { a = Gemm(x, w, b)  y = Gemm(a, v) }", {
        "w": [3, 5], "b": [4, 5], "v": [5, 5]
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_near_the_original(try_text, name):
    body, weights = CASES[name]
    tried = try_text("quantize-int8", body, weights=weights, scale=0.5)
    assert tried.error < 0.06
    assert tried.after["QuantizeLinear"] > 0


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21, 24])
def test_operator_sets(try_text, opset):
    body = """(float[1,3,8,8] x) => (float[1,5] y) {
        a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)  m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)
        g = GlobalAveragePool(m)  f = Flatten(g)  y = Gemm(f, w2, b2)
    }"""
    weights = {"w1": [6, 3, 3, 3], "b1": [6], "w2": [6, 5], "b2": [5]}
    assert try_text("quantize-int8", body, weights=weights, opset=opset).error < 0.03


def test_free_dims_of_all_kinds(bench, try_pass):
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {CONV}', weights=CONV_WEIGHTS))
    for dims in ({"N": 1, "H": 9, "W": 7}, {"N": 2, "H": 4, "W": 5}):
        assert try_pass("quantize-int8", ir, bench.samples(ir, 4, **dims)).error < 0.03


def test_a_number_where_the_batch_stood(bench, try_pass):
    """The batch is free, and the graph holds a 1 for it: samples are run one by one."""
    body = "(float[N,4] x) => (float[N,3] y) { r = Reshape(x, to)  a = MatMul(r, w)  y = Reshape(a, back) }"
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    source = bench.build(text, weights={"w": [4, 3]}, ints={"to": [1, 1, 4], "back": [1, 3]})
    ir = bench.make_ir(source)
    assert try_pass("quantize-int8", ir, bench.samples(ir, 4, N=1)).error < 0.03


def test_external_weights(bench, try_pass):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {CONV}'
    ir = bench.make_ir(bench.build(text, weights=CONV_WEIGHTS, external={"w1": "weights.bin"}))
    assert try_pass("quantize-int8", ir, bench.samples(ir, 4, N=1, H=6, W=6)).error < 0.03


def test_what_a_branch_reads_stays_right(try_text):
    body = """(float[1,4] x, bool flag) => (float[1,3] y) {
        a = MatMul(x, w1)  b = MatMul(a, w2)
        y = If(flag) <
            then_branch = t () => (float[1,3] u) { u = Relu(b) },
            else_branch = e () => (float[1,3] v) { c = MatMul(a, w3)  v = Neg(c) }
        >
    }"""
    tried = try_text("quantize-int8", body, weights={"w1": [4, 4], "w2": [4, 3], "w3": [4, 3]})
    assert tried.error < 0.05
    assert tried.value["left_float"] == ["If_2 (If)"]


@pytest.mark.parametrize(("arrays", "message"), [
    ({"z": np.zeros((2, 1, 4), np.float32)}, "wants"),
    ({"x": np.zeros((0, 1, 4), np.float32)}, "sample"),
    ({"x": np.full((2, 1, 4), np.inf, np.float32)}, "not finite"),
    ({"x": np.array([0, 0, np.nan, 0], np.float32).reshape(4, 1, 1).repeat(4, 2)}, "sample 2 is not a number"),
])  # fmt: skip
def test_samples_that_are_none(bench, arrays, message):
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[1,4] x) => (float[1,3] y) { y = MatMul(x, w) }'
    ir = bench.make_ir(bench.build(text, weights={"w": [4, 3]}))
    folder = bench.folder()
    folder.mkdir()
    np.savez(folder / "samples.npz", **arrays)
    with pytest.raises(BadModel, match=message):
        bench.run(pass_call("quantize-int8"), ir=ir, samples=folder)
