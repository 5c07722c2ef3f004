from __future__ import annotations

import pytest

BN = {"g_positive": [6], "b": [6], "m": [6], "v_positive": [6]}
NORM = "BatchNormalization({}, g_positive, b, m, v_positive)"


def check(tried, **after):
    assert tried.value["modified"]
    assert dict(tried.after) == after
    assert tried.error < 1e-5


@pytest.mark.parametrize(
    ("node", "weights"),
    [
        ("Conv<pads=[1,1,1,1]>(x, w)", {"w": [6, 4, 3, 3]}),
        ("Conv<pads=[1,1,1,1]>(x, w, c)", {"w": [6, 4, 3, 3], "c": [6]}),
        ("Conv<group=2>(x, w, c)", {"w": [6, 2, 3, 3], "c": [6]}),
        ("ConvTranspose(x, w)", {"w": [4, 6, 3, 3]}),
        ("ConvTranspose<group=2>(x, w, c)", {"w": [4, 3, 3, 3], "c": [6]}),
    ],
)
def test_batch_norm_behind_convolutions(try_text, node, weights):
    body = f"(float[1,4,7,7] x) => (float[1,6,h,k] y) {{ a = {node}  y = {NORM.format('a')} }}"
    check(try_text("fold-batchnorm", body, weights={**weights, **BN}), **{node.split("(")[0].split("<")[0]: 1})


@pytest.mark.parametrize("node", ["Gemm<alpha=0.5, beta=2.0>(x, w, c)", "Gemm<transB=1>(x, wt, c)", "MatMul(x, w)"])
def test_batch_norm_behind_matrices(try_text, node):
    body = f"(float[3,4] x) => (float[3,6] y) {{ a = {node}  y = {NORM.format('a')} }}"
    weights = {"w": [4, 6], "wt": [6, 4], "c": [6], **BN}
    check(try_text("fold-batchnorm", body, weights=weights), Gemm=1)


def test_scales_and_offsets_of_frozen_graphs(try_text):
    body = """(float[1,4,7,7] x) => (float[1,6,5,5] y) {
        a = Conv(x, w)  b1 = Mul(a, s)  c1 = Sub(b1, t)  d = Div(s_positive, one_positive)  y = Add(c1, t)
    }"""
    weights = {"w": [6, 4, 3, 3], "s": [1, 6, 1, 1], "t": [6, 1, 1], "s_positive": [1], "one_positive": [1]}
    tried = try_text("fold-batchnorm", body, weights=weights)
    assert tried.after["Mul"] == tried.after["Add"] == tried.after["Sub"] == 0
    assert tried.error < 1e-5


def test_reversed_subtraction_and_division(try_text):
    body = "(float[3,4] x) => (float[3,6] y) { a = Gemm(x, w, c)  b = Sub(t, a)  y = Div(b, s_positive) }"
    check(try_text("fold-batchnorm", body, weights={"w": [4, 6], "c": [6], "t": [6], "s_positive": [1, 6]}), Gemm=1)


@pytest.mark.parametrize(
    "body",
    [
        # something else reads the convolution's result
        "(float[1,4,7,7] x) => (float[1,6,5,5] y, float[1,6,5,5] a) { a = Conv(x, w)  y = Mul(a, s) }",
        # not per channel
        "(float[1,4,7,7] x) => (float[1,6,5,5] y) { a = Conv(x, w)  y = Mul(a, columns) }",
        # grows the result
        "(float[1,4,7,7] x) => (float[2,6,5,5] y) { a = Conv(x, w)  y = Mul(a, batch) }",
        # a divisor, not a dividend
        "(float[1,4,7,7] x) => (float[1,6,5,5] y) { a = Conv(x, w)  y = Div(s, a) }",
        # by itself
        "(float[1,4,7,7] x) => (float[1,6,5,5] y) { a = Conv(x, w)  y = Mul(a, a) }",
        # an offset behind a product of higher rank has no place
        "(float[2,3,4] x) => (float[2,3,6] y) { a = MatMul(x, m)  y = Add(a, b) }",
    ],
)
def test_what_cannot_be_folded_stays(try_text, body):
    weights = {"w": [6, 4, 3, 3], "s": [6, 1, 1], "columns": [5], "batch": [2, 1, 1, 1], "m": [4, 6], "b": [6]}
    assert not try_text("fold-batchnorm", body, weights=weights).value["modified"]


def test_weights_that_would_overflow_stay(try_text):
    body = "(float[1,4] x) => (float[1,6] y) { a = Gemm(x, w, c)  m = Mul(a, w2)  y = Tanh(m) }"
    tried = try_text("fold-batchnorm", body, weights={"w": [4, 6], "c": [6], "w2": [6]}, scale=1e30)
    assert not tried.value["modified"]


def test_shared_weights(try_text):
    body = """(float[1,4] x) => (float[1,6] y, float[1,6] z) {
        a = Gemm(x, w, c)  y = Mul(a, s)  z = Gemm(x, w, c)
    }"""
    tried = try_text("fold-batchnorm", body, weights={"w": [4, 6], "c": [6], "s": [6]})
    assert tried.after == {"Gemm": 2}
    assert tried.error < 1e-5
