from __future__ import annotations

import pytest

from dlpipe.ir.calls import describe_call, run_call

CONV = """(float[1,3,12,12] x) => (float[1,5] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r1 = Relu(a)
    p = MaxPool<kernel_shape=[2,2]>(r1)
    m = GlobalAveragePool(p)  f = Flatten(m)  g = Gemm(f, w2, b2)  y = Softmax(g)
}"""
CONV_WEIGHTS = {"w1": [8, 3, 3, 3], "b1": [8], "w2": [8, 5], "b2": [5]}
WIDE = "(float[1,100] x) => (float[1,100] y) { y = MatMul(x, w) }"
NESTED = """(float[1,4] x, bool flag) => (float[1,4] y) {
    h = MatMul(x, w)
    y = If(flag) <
        then_branch = t () => (float[1,4] a) { b = Mul(h, h)  a = Relu(b) },
        else_branch = e () => (float[1,4] c) { d = Cast<to=1>(h)  c = CumSum(d, axis) }
    >
}"""


def test_weights_and_nodes_in_bfloat16(bench, try_text):
    tried = try_text("bf16", CONV, weights=CONV_WEIGHTS)
    assert 0 < tried.error < 0.02
    assert tried.value["left_float"] == []
    assert "operator set 18 -> 22" in tried.value["changes"]
    described = bench.run(describe_call(), ir=tried.ir)[0]
    conv = next(node for node in described["nodes"] if node["op"] == "Conv")
    assert {port["dtype"] for port in (*conv["inputs"], *conv["outputs"])} == {"bfloat16"}
    assert described["inputs"][0]["dtype"] == described["outputs"][0]["dtype"] == "float32"


def test_half_the_size(try_text):
    tried = try_text("bf16", WIDE, weights={"w": [100, 100]})
    sizes = [(each / "model.onnx").stat().st_size for each in (tried.ir, tried.source)]
    assert sizes[0] == pytest.approx(sizes[1] / 2, rel=0.05)


def test_the_run_says_that_bfloat16_is_emulated(bench, try_text):
    tried = try_text("bf16", CONV, weights=CONV_WEIGHTS)
    samples = bench.samples(tried.source)
    assert "bfloat16 emulated" in bench.run(run_call(), ir=tried.ir, samples=samples)[0]["tool"]
    assert "emulated" not in bench.run(run_call(), ir=tried.source, samples=samples)[0]["tool"]


def test_nothing_overflows(try_text):
    body = "(float[1,4] x) => (float[1,4] y) { a = MatMul(x, w)  b = MatMul(a, w)  y = Tanh(b) }"
    tried = try_text("bf16", body, weights={"w": [4, 4]}, scale=1e6)
    assert tried.value["clamped"] == 0
    assert tried.error < 0.02


def test_keep_and_nested_graphs(try_text):
    tried = try_text("bf16", CONV, weights=CONV_WEIGHTS, params={"keep": ["Conv"]})
    assert tried.value["left_float"] == ["Conv_0 (Conv)"]
    tried = try_text("bf16", NESTED, weights={"w": [4, 4]}, ints={"axis": 1})
    assert tried.error < 0.05


def test_old_operator_set_leaves_conv_in_float(try_text):
    tried = try_text("bf16", CONV, weights=CONV_WEIGHTS, opset=13)
    assert tried.error < 0.02
    assert tried.value["changes"][0] == "operator set 13 -> 22"
