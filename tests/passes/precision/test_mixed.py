from __future__ import annotations

import pytest

from dlpipe.errors import Unsupported
from dlpipe.passes.registry import pass_call

# RMS norm by hand on values in the hundreds: their squares are beyond float16.
NORM = """(float[1,64] x) => (float[1,32] y) {
    a = MatMul(x, w1)  r = Relu(a)
    squares = Mul(r, r)  mean = ReduceMean<axes=[1]>(squares)  root = Sqrt(mean)  n = Div(r, root)
    b = MatMul(n, w2)  t = Tanh(b)  y = MatMul(t, w3)
}"""
BUILD = {"weights": {"w1": [64, 64], "w2": [64, 64], "w3": [64, 32]}, "opset": 13}
PLAIN = """(float[4,20] x) => (float[4,6] y) { a = MatMul(x, w1)  r = Relu(a)  y = MatMul(r, w2) }"""
PLAIN_BUILD = {"weights": {"w1": [20, 40], "w2": [40, 6]}}


@pytest.fixture
def norm(bench):
    opset = BUILD["opset"]
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g {NORM}'
    ir = bench.make_ir(bench.build(text, weights=BUILD["weights"], scale=60.0))
    return ir, bench.samples(ir, count=8)


def test_what_overflows_stays_in_float32(bench, norm):
    ir, samples = norm
    value, _ = bench.run(pass_call("mixed-precision", sqnr_db=25.0), ir=ir, samples=samples)
    assert set(value["overflowed"]) == {"Mul_2", "ReduceMean_3", "Sqrt_4"}
    assert value["outputs"]["sqnr_db"] >= 25.0
    assert value["changes"][0].endswith("3 weights in float16")
    assert value["judged_on"] == 8
    plain, _ = bench.run(pass_call("fp16"), ir=ir, samples=samples)
    assert plain["left_float"] == []


def test_a_tighter_limit_keeps_more_and_holds(bench, norm):
    ir, samples = norm
    kept = []
    for limit in (25.0, 45.0, 150.0):
        value, _ = bench.run(pass_call("mixed-precision", sqnr_db=limit), ir=ir, samples=samples)
        assert value["outputs"]["sqnr_db"] >= limit
        kept.append(len(value["chosen_float"]))
    assert kept == sorted(kept)
    assert kept[0] < kept[-1]
    assert value["modified"] is False  # at 150 dB every node is needed in float32


def test_nothing_is_kept_where_fp16_holds_the_limit(try_text):
    tried = try_text("mixed-precision", PLAIN, **PLAIN_BUILD, params={"sqnr_db": 40.0})
    assert tried.value["chosen_float"] == tried.value["overflowed"] == []
    assert tried.value["evaluations"] == 1
    assert tried.error < 0.005


def test_bfloat16_does_not_overflow(bench, norm):
    ir, samples = norm
    value, _ = bench.run(pass_call("mixed-precision", format="bf16", sqnr_db=15.0), ir=ir, samples=samples)
    assert value["overflowed"] == []


CONV = """(float[1,3,12,12] x) => (float[1,5] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1)  r = Relu(a)  m = GlobalAveragePool(r)  f = Flatten(m)  y = Gemm(f, w2)
}"""
CONV_BUILD = {"weights": {"w1": [8, 3, 3, 3], "w2": [8, 5]}}


def test_nodes_that_take_bfloat16_only_in_a_later_operator_set_can_be_kept(try_text):
    tried = try_text("mixed-precision", CONV, **CONV_BUILD, opset=13, params={"format": "bf16", "sqnr_db": 70.0})
    assert tried.value["outputs"]["sqnr_db"] >= 70.0
    assert 0 < len(tried.value["chosen_float"]) <= 5


def test_shapes_that_a_file_declares_wrongly(bench, shared):
    ir = bench.make_ir(shared / "models/yunet", "yunet_n_dynamic.onnx")
    samples = bench.samples(ir, 2, height=64, width=96)
    value, _ = bench.run(pass_call("mixed-precision", sqnr_db=20.0), ir=ir, samples=samples)
    assert value["outputs"]["sqnr_db"] >= 20.0


def test_what_is_named_is_kept(try_text):
    tried = try_text("mixed-precision", PLAIN, **PLAIN_BUILD, params={"sqnr_db": 40.0, "keep": ["Relu"]})
    assert tried.value["left_float"] == ["Relu_1 (Relu)"]


def test_refusals(bench, norm):
    ir, samples = norm
    for params, match in (({"format": "fp8"}, "fp16, bf16"), ({"sqnr_db": 0.0}, "no limit")):
        with pytest.raises(Unsupported, match=match):
            bench.run(pass_call("mixed-precision", **params), ir=ir, samples=samples)
