from __future__ import annotations

import pytest

from dlpipe.errors import BadModel, UserError
from dlpipe.passes.registry import sensitivity_call

# The product of the two is beyond float16's range: what multiplies cannot do with it.
LOUD = """(float[1,8] x) => (float[1,8] y) {
    a = MatMul(x, w1)  r = Relu(a)  loud = Mul(r, r)  s = Sqrt(loud)  b = MatMul(s, w2)  y = Tanh(b)
}"""
BUILD = {"weights": {"w1": [8, 8], "w2": [8, 8]}}


@pytest.fixture(scope="module")
def loud(bench):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {LOUD}'
    ir = bench.make_ir(bench.build(text, **BUILD, scale=400.0))
    return ir, bench.samples(ir, count=8)


def test_the_node_that_overflows_is_named(bench, loud):
    ir, samples = loud
    value, _ = bench.run(sensitivity_call("fp16"), ir=ir, samples=samples)
    assert value["samples"] == 8
    assert value["nodes"][0]["node"] == "Mul_2"
    assert {node["node"] for node in value["nodes"]} == {
        "MatMul_0", "Relu_1", "Mul_2", "Sqrt_3", "MatMul_4", "Tanh_5"
    }  # fmt: skip
    assert value["nodes"][0]["sqnr_db"] < 10 < value["nodes"][-1]["sqnr_db"]


def test_lowering_all_but_one_costs_more_than_lowering_one(bench):
    body = "(float[1,8] x) => (float[1,8] y) { a = MatMul(x, w1)  r = Relu(a)  y = MatMul(r, w2) }"
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {body}', **BUILD))
    samples = bench.samples(ir, count=8)
    one, _ = bench.run(sensitivity_call("bf16"), ir=ir, samples=samples)
    rest, _ = bench.run(sensitivity_call("bf16", others_in_float=False), ir=ir, samples=samples)
    alone = {node["node"]: node["sqnr_db"] for node in one["nodes"]}
    assert len(alone) == 3
    assert all(node["sqnr_db"] < max(alone.values()) for node in rest["nodes"])


def test_bfloat16_does_not_overflow(bench, loud):
    ir, samples = loud
    value, _ = bench.run(sensitivity_call("bf16"), ir=ir, samples=samples)
    assert all(node["sqnr_db"] > 10 for node in value["nodes"])


@pytest.mark.parametrize("name", ["quantize-weights", "quantize-dynamic"])
def test_passes_of_weights(bench, name):
    body = "(float[1,64] x) => (float[1,64] y) { a = MatMul(x, w1)  r = Relu(a)  y = MatMul(r, w2) }"
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    ir = bench.make_ir(bench.build(text, weights={"w1": [64, 64], "w2": [64, 64]}))
    value, _ = bench.run(sensitivity_call(name), ir=ir, samples=bench.samples(ir, count=4))
    assert {node["node"] for node in value["nodes"]} == {"MatMul_0", "MatMul_2"}
    assert all(5 < node["sqnr_db"] < 70 for node in value["nodes"])


def test_no_samples_and_the_wrong_ones(bench, loud):
    ir, _ = loud
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[2] z) => (float[2] y) { y = Exp(z) }'
    other = bench.make_ir(bench.build(text))
    with pytest.raises(BadModel, match="wants"):
        bench.run(sensitivity_call("fp16"), ir=ir, samples=bench.samples(other))


def test_a_pass_that_does_not_choose_by_node():
    with pytest.raises(UserError, match="cannot leave"):
        sensitivity_call("fuse")
